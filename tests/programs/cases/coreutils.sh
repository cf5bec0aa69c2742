#: about: coreutils on /usr and on files of their own: ls, sort, cp -a, mv, ln, stat, du, split, timeout, mktemp …
#: on: host pip
export LC_ALL=C
ls -lR --time-style=+%s /usr/share/doc/bash /usr/lib/python3/dist-packages 2>&1 | sed 's/^total .*//' | sha256sum
ls -ld --time-style=full-iso /usr/bin/env /usr/bin/python3 /bin /lib64
ls -aF /usr/share/doc | head -50 | sha256sum
cat /usr/share/perl/5*/[A-D]*.pm 2>/dev/null | sort | uniq -c | sort -rn | sha256sum
mkdir tree; cp -a /usr/share/doc/b* tree/ 2>/dev/null
(cd tree && find . -type f | sort | xargs -d '\n' sha256sum) | sha256sum
cp -a tree copy; diff -r --no-dereference tree copy && echo equal
du -s --apparent-size -b tree | cut -f1 | sed 's/^[0-9]*$/number/'
mv copy moved; ls moved | wc -l
rm -rf moved tree; ls
seq 1 100000 >numbers
wc numbers; head -c 20 numbers; tail -n 2 numbers
split -l 30000 numbers part.; ls -s --block-size=1 part.* | wc -l; cat part.* | cmp - numbers && echo joined
shuf -n 5 --random-source=numbers numbers
sort -n -k1,1 --parallel=2 -S 1M -r numbers | head -2
tac numbers | head -1; nl numbers | sed -n 3p; od -An -tx1 -N16 numbers; cksum numbers; sum numbers; b2sum numbers | cut -c1-20
base64 numbers | base64 -d | md5sum
ln numbers hard; ln -s numbers soft; ln -s /nowhere broken
stat -c '%n %s %h %a %F %N' numbers hard soft broken
readlink -f soft; realpath --relative-to=/usr /usr/share/doc; readlink broken; basename /a/b.c .c; dirname /a/b/c
test -e broken || echo "broken link"
chmod 640 hard; chmod u+x,g-r,o=r hard; stat -c %a numbers
touch -d '2001-02-03 04:05:06 UTC' stamped; stat -c %y stamped; date -u -r stamped +%s; touch -r stamped other; stat -c %Y other
truncate -s 1M sparse; stat -c '%s' sparse; du -b sparse; dd if=numbers of=sparse bs=4k seek=16 count=2 conv=notrunc status=none; sha1sum sparse
tee one two <numbers >/dev/null; cmp one two && echo teed
file=$(mktemp -p . tmp.XXXXXX); test -f "$file" && stat -c '%a %s' "$file"; rm "$file"
install -D -m 755 numbers deep/er/installed; stat -c %a deep/er/installed
env -i X=1 env; env -u HOME sh -c 'echo ${HOME-unset}'; nohup echo nohup 2>/dev/null; nice -n 5 nice
timeout 5 true; echo $?; timeout 0.05 sleep 9; echo $?; sleep 0.01; printf '%q\n' 'a b'
comm -12 <(seq 1 2 20) <(seq 1 3 20 | sort -n) 2>/dev/null | head -3; join <(printf '1 a\n2 b\n') <(printf '1 x\n2 y\n'); paste -d: <(seq 3) <(seq 4 6)
tr -d '0-4' <numbers | md5sum; cut -c2-3 numbers | md5sum; fold -w 7 numbers | md5sum; expand <<<$'a\tb'; csplit -s numbers 500 1000 && wc -l xx0*
id -u; whoami 2>/dev/null | wc -l; pwd; tty; nproc | sed 's/[0-9]*/n/'; uname -s; arch; factor 1234567890123; seq -s, 1 0.5 3; numfmt --to=iec 1048576
mkfifo pipe; cat pipe >from-pipe & echo through >pipe; wait; cat from-pipe
rmdir deep 2>&1; rm nothing 2>&1; cat nothing 2>&1; cp nothing x 2>&1; mkdir tree/a/b 2>&1; mv nothing x 2>&1; ls nothing; echo $?
chmod 000 other; mkdir -m 700 private; mkdir -p p/q/r; rm -r p; link one linked; unlink linked; sync numbers && echo synced
