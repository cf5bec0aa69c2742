#: about: find | xargs -P2 | sort over /usr, and find's tests and actions
#: needs: find xargs
#: on: host pip
export LC_ALL=C
find /usr/lib/python3.11 -name '*.py' -print0 | xargs -0 -P2 -n 50 wc -l | grep -v total | sort -k2 | sha256sum
find /usr/share/doc -maxdepth 2 -type d | sort | sha256sum
find /usr/bin -type l -printf '%p %l\n' | sort | sha256sum
find /usr/include -type f -size +20k -printf '%s %m %P\n' | sort | sha256sum
find /usr/lib/python3.11 -name '*.py' -newer /usr/bin/env | wc -l | sed 's/[0-9]*/n/'
mkdir -p a/b/c; for i in $(seq 1 300); do echo $i >a/b/c/$i; done
find a -type f | xargs -P2 -I{} sh -c 'read n <{}; [ $((n % 50)) = 0 ] && echo {}' | sort
find a -name '*7' -delete; find a -type f | wc -l
find a -empty; find a -type f -exec grep -l '^1.$' {} + | sort -V | head -3
find a \( -name '1*' -o -name '2*' \) -a ! -name '*0' -print | sort | md5sum
seq 1 1000 | xargs -n 100 echo | md5sum; seq 10 | xargs -P4 -n1 sh -c 'exit $(($0 == 7))'; echo "xargs $?"
find -L a -samefile a/b/c/1; find /nowhere; echo $?
find . -newermt 2001-01-01 -type d | sort; find a -depth -type d; find a -perm 755 -type d | wc -l
