#: about: bash: pipes, here-documents, process substitution, arrays, read -t, coproc, printf, globs
#: on: host pip
set -u -o pipefail
printf '%s\n' {1..500} | grep -v 5 | sort -R --random-source=/usr/bin/env | sort -n | sha256sum
false | true
echo "pipefail ${PIPESTATUS[*]} $?"
diff <(printf '%s\n' a b c) <(printf '%s\n' a x c)
echo "diff $?"
tee >(sort -r >reversed) >(wc -l >counted) < <(seq 1 20) >plain
until [ -s reversed ] && [ -s counted ]; do :; done
wait
coproc DOUBLE { while read -r n; do echo $((n * 2)); done; }
double_pid=$DOUBLE_PID
for n in 3 14 159; do
  echo "$n" >&"${DOUBLE[1]}"
  read -r answer <&"${DOUBLE[0]}"
  echo "double $answer"
done
exec {DOUBLE[1]}>&-
wait "$double_pid"
echo "coproc ended $?"
mkfifo fifo
exec 5<>fifo
read -r -t 0.05 -u 5 nothing
echo "read timed out: $(($? > 128))"
echo something >&5
read -r -t 5 -u 5 line && echo "read $line"
exec 5>&-
declare -A map=([one]=1 [two]=2)
for key in $(printf '%s\n' "${!map[@]}" | sort); do echo "$key=${map[$key]}"; done
mapfile -t lines <plain
echo "${#lines[@]} ${lines[7]} ${lines[-1]}"
while IFS=: read -r name _ uid _; do [ "$uid" = 0 ] && echo "uid 0 is $name"; done </etc/passwd
cat <<-END
	tabs are gone, $((2 ** 20))
	END
cat <<<"a here-string"
mkdir d && touch d/{a,b,c}.txt d/.hidden
(cd d && echo * && shopt -s dotglob && echo *)
echo d/[ab]*
exec 7>numbered; echo seven >&7; exec 7>&-
{ echo out; echo err >&2; } 2>&1 | sort
( ulimit -n 64; ulimit -n )
x=$(</etc/hostname); [ -n "$x" ] && echo hostname
time_out=$( { TIMEFORMAT=%R; time :; } 2>&1 ); [[ $time_out == 0.* ]] && echo timed
[[ "abc-123" =~ ^([a-z]+)-([0-9]+)$ ]] && echo "${BASH_REMATCH[2]} ${BASH_REMATCH[1]}"
umask 027; echo secret >masked; stat -c '%a %n' masked
seq 100000 | head -n 3
echo "${PIPESTATUS[*]}"
exit 42
