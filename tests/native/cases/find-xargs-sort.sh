#: about: find | xargs | sort over a tree of a thousand files
for d in $(seq 1 20); do mkdir -p tree/d$d; for f in $(seq 1 50); do echo "$d $f" >tree/d$d/f$f; done; done
find tree -type f | wc -l
find tree -type f -print0 | sort -z | xargs -0 cat | sha256sum
find tree -name 'f1*' | sort | xargs -n 50 basename -a | sort | uniq -c | head -5
find tree -type f | sort | xargs -P 3 -n 100 wc -l | grep -c total
find tree -type f -newer tree/d1/f1 | wc -l | sed 's/[0-9]*/counted/'
find tree -type f -delete; find tree | sort | tail -2
