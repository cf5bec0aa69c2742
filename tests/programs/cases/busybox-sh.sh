#: about: busybox's static shell: pipes, here-documents, traps, functions, its applets
#: needs: busybox
#: run: busybox sh {case}
#: doors: run
#: on: host pip
set -u
seq 1 200 | sort -rn | awk '$1 % 7 == 0 { s += $1; print } END { print "sum", s }' | tail -n 5
cat <<END | tr a-z A-Z | sed 's/ /_/g'
here is a document
with $((6 * 7)) in it
END
cat <<'END' >quoted
no $expansion here
END
trap 'echo trapped USR1' USR1
trap 'echo leaving' EXIT
kill -USR1 $$
square() { echo $(($1 * $1)); }
for i in 1 2 3 4 5; do square $i; done | paste -s -d, -
mkdir -p a/b/c
for i in $(seq 1 40); do echo "line $i" >a/b/file$i; done
find a -type f | sort | xargs md5sum | md5sum
tar cf all.tar a && mkdir out && tar xf all.tar -C out && diff -r a out/a && echo same
gzip -c all.tar | gunzip -c | cmp - all.tar && echo gzip right
grep -rl 'line 3' a | wc -l
(sleep 0.1; exit 3) &
wait $!
echo "status $?"
echo "$(echo nested $(echo deeper))"
dd if=/dev/zero of=zeros bs=1024 count=64 2>/dev/null
wc -c zeros
ln -s quoted link
readlink link
stat -c '%a %s %F' quoted
expr 3 + 4
printf '%05.2f|%-5s|\n' 3.14159 ab
false || echo or
true && echo and
ash -c 'echo "$0 $#"' name one two
rm -r a out all.tar
exit 7
