#: about: bash: one process of builtins: arithmetic, arrays, traps, reads that time out on a fifo, an appended file
echo begun
mkfifo fifo
exec 5<>fifo 6>>journal
declare -A seen
x=12345 sum=0 traps=0
trap 'traps=$((traps + 1))' USR1
for ((i = 0; i < 100000; i++)); do
  x=$(((x * 1103515245 + 12345) & 0x7fffffff))
  sum=$(((sum + x) % 1000000007))
  seen[$((x % 1000))]=$i
  if ((i % 1000 == 0)); then
    echo "$i $sum" >&6
    echo "$i" >&5
    read -r -u 5 back
    ((back == i)) || echo "read $back instead of $i"
    read -r -t 0.02 -u 5 && echo "read something"
    kill -USR1 $$
  fi
done
echo "$sum ${#seen[@]} $traps"
exit 6
