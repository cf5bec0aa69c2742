#: about: grep, sed, awk, diff, patch-like editing, gzip, xz, file, bc-like arithmetic on real texts
#: needs: awk grep sed gzip diff file
#: on: host pip
export LC_ALL=C
license=/usr/share/common-licenses/GPL-3
grep -c the $license; grep -rlE 'Copyright (19|20)[0-9]{2}' /usr/share/doc/b* 2>/dev/null | sort | sha256sum
grep -nw Program $license | tail -1; grep -oP '(?<=GNU )\w+' $license | sort | uniq -c
sed -n '/^ *TERMS/,/^ *1\./p' $license | head -5; sed -E 's/([a-z]+) ([a-z]+)/\2 \1/g; y/abc/xyz/' $license | sha256sum
cp $license text; sed -i '10,20d; s/GNU/NOT/g' text; diff -u --label a --label b $license text | sha256sum; diff -q $license text
awk '{ for (i = 1; i <= NF; i++) n[tolower($i)]++ } END { for (w in n) if (n[w] > 60) print n[w], w }' $license | sort -rn
awk 'BEGIN { while (("seq 5" | getline x) > 0) s += x; close("seq 5"); print s; print "to sort\nand out" | "sort"; close("sort"); system("exit 3"); printf "%d %.3f\n", 7.9, atan2(0, -1) }'
awk -F: '$3 < 5 { print $1 > "low." $3 }' /etc/passwd; cat low.*
gzip -9nk text && zcat text.gz | cmp - text && rm text && gunzip text.gz && wc -c <text
file -b /usr/bin/env | cut -d, -f1; file -b $license
yes line | sed 5q | tr '\n' ' '; echo
sed 's/x/y/' missing; echo "sed $?"; grep x missing; echo "grep $?"; awk '{' 2>/dev/null; echo "awk $?"
tail -f --pid=$$ text >followed 2>/dev/null & follower=$!
until [ -s followed ]; do :; done
echo appended >>text
until grep -q appended followed; do :; done
{ kill $follower; wait $follower; } 2>/dev/null; echo "tail $?"; rm followed
