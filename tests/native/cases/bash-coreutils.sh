#: about: bash with coreutils: pipes, here-documents, traps, arithmetic, process substitution, sort, uniq, cut, tr, wc
trap 'echo caught usr1' USR1
kill -USR1 $$
trap 'echo leaving' EXIT
cat <<END | tr a-z A-Z
here is a document
of $((1 + 1)) lines
END
seq 1 1000 | sort -rn | head -3
printf '%s\n' b a c a | sort | uniq -c | sort -k1,1nr -k2
echo one two three | cut -d' ' -f2
paste <(seq 1 3) <(seq 4 6)
for i in 1 2 3; do (exit $i); echo "status $?"; done
mkdir -p d/e && touch d/e/f && ls -R d && rm -r d
sleep 0.1 & wait $! && echo waited
(sleep 10 & kill $!; wait $! 2>/dev/null; echo "killed $?")
exec 3<<<"from fd 3"; read -r line <&3; echo "$line"
false || exit 5
