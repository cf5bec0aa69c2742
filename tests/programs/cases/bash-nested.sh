#: about: bash: deep subshells and command substitutions, many short children, here-documents in loops
#: on: host pip
total=0
for i in {1..40}; do
  n=$(echo "$(echo "$((i * 2))" | cat)" | cat)
  total=$((total + n))
done
echo $total
deep() { if [ "$1" -gt 0 ]; then (deep $(($1 - 1))); else echo "bottom, level $BASH_SUBSHELL"; fi; }
deep 20
for i in {1..20}; do cat <<END; done | md5sum
$i $(printf '%0*d' $i 0)
END
seq 2000 | while read -r n; do echo "$n"; done | wc -l
yes | head -c 1000000 | md5sum
a=$(head -c 300000 /dev/zero | tr '\0' x); echo ${#a}
bash -c 'echo "$0 $@"' zero one "two three" ''
/bin/sh -c 'exec /bin/sh -c "exec /bin/sh -c \"echo three execs\""'
env -i A=1 B=2 /usr/bin/env | sort
exec 3>&1; { echo to-three >&3; } >/dev/null; exec 3>&-
find /etc/passwd -exec bash -c 'echo "exec $1"' _ {} \;
printf 'a\0b c\0' | xargs -0 -n1 echo item
echo "exit status of missing: $(/nonexistent 2>/dev/null; echo $?)"
echo "exit status of directory: $(/etc 2>/dev/null; echo $?)"
echo "not executable: $(/etc/passwd 2>/dev/null; echo $?)"
