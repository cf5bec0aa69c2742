#: about: busybox: many applets on files, archives, text and processes
#: needs: busybox
b() { busybox "$@"; echo "[$1 $?]"; }
n=0
b seq 1 2000 >numbers
b awk '{ s += $1 } END { print s, NR }' numbers
busybox sort -rn numbers | b head -n 3
busybox sed -n '/7$/p;100q' numbers | b wc -l
b grep -c '^1' numbers
busybox cut -c1 numbers | busybox sort | busybox uniq -c
busybox tr 0-9 a-j <numbers | busybox md5sum
for i in a b c d; do busybox sed -n "$((n * 500 + 1)),$(((n += 1) * 500))p" numbers >part.a$i; done; b ls -1
busybox cat part.a? | busybox cmp - numbers
b mkdir -p tree/a/b tree/c && b cp numbers tree/a/b/ && b ln -s a/b/numbers tree/link && b ln tree/a/b/numbers tree/hard
busybox find tree -type f -size +1k | busybox sort
b stat -c '%n %s %h %F' tree/hard tree/link
b tar cf tree.tar tree && busybox tar tf tree.tar | busybox sort
b gzip -k numbers && busybox gunzip -c numbers.gz | busybox sha256sum
b bzip2 -c numbers >numbers.bz2 && busybox bunzip2 -c numbers.bz2 | busybox sha1sum
b tar czf tree.tgz tree && mkdir out && b tar xzf tree.tgz -C out && b diff -r tree out/tree
busybox find tree | busybox sort | busybox cpio -o -H newc 2>/dev/null | busybox cpio -t 2>/dev/null | b wc -l
b sed 's/^5$/five/' numbers >changed; b diff -u -L a -L b numbers changed >patch; b cat patch
b cp numbers patched && b patch patched patch && b cmp patched changed
b dd if=/dev/zero of=zeros bs=4k count=10 2>/dev/null; b od -An -tx1 -N4 zeros; b hexdump -C -n 16 numbers
b truncate -s 100000 zeros; b stat -c %s zeros; busybox fold -w 10 changed | b tail -n 2
busybox paste -d, part.aa part.ab | b head -n 2
b expr 6 \* 7; b factor 360; b printf '%05d %s\n' 42 x; b basename /a/b.c .c; b dirname /a/b
echo '2 3 + p' | b dc; echo '2^20' | b bc; b date -u -d @0; b cal 11 2026
busybox realpath tree/link | b sed 's,.*/osp-work[^/]*/,,'; b readlink tree/link
b touch -d '2001-02-03 04:05:06' old; b test old -ot numbers; b find . -name old -newer numbers
busybox nl -ba part.aa | b tail -n 1; busybox tac part.aa | b head -n 1; busybox rev part.aa | busybox sort | b head -n 2
busybox shuf -i 1-5 | busybox sort -n | b tr '\n' ' '
b env -i A=1 busybox env; b timeout 1 busybox sleep 5; b timeout 5 busybox true
b sh -c 'kill -TERM $$'; b sh -c 'busybox sleep 5 & kill $!; wait $!; echo $?' 2>/dev/null  # whether ash tells of it is a race
busybox xargs -n 3 echo <part.ab | b head -n 2; busybox uuencode numbers numbers | busybox md5sum; busybox base64 part.ac | busybox md5sum
b awk 'BEGIN { while (("busybox seq 3" | getline x) > 0) print x * x; system("echo from awk") }'
b cp numbers installed; b chmod u+x,o= installed; b stat -c %A installed
b rm -r tree out; b rmdir missing 2>&1; b cat missing 2>&1; b which busybox >/dev/null; busybox ls | b wc -l
