#: about: bash: job control in a script (set -m), wait -n, kill %1, stop and continue, traps, signals
#: normalise: s/^(.*: line \d+): +\d+ /\1: PID /
set -m
trap 'echo "term trapped"' TERM
trap 'echo "usr1 trapped"' USR1
trap 'echo "usr2 trapped"; exit 9' USR2
trap 'echo "exit trap $?"' EXIT
mkfifo gate
# A child that is killed before it has reset its traps loses the signal, in any bash: each says when it is ready.
exec 8<>gate
{ echo ready >&8; exec sleep 1000; } & first=$!
{ echo ready >&8; exec sleep 1001; } & second=$!
read -r _ <&8; read -r _ <&8
jobs
{ kill %1; wait $first; } 2>/dev/null; echo "first: $?"
kill -STOP %2
until [[ $(jobs %2) == *Stopped* ]]; do :; done
jobs
kill -CONT %2
until [[ $(jobs %2) == *Running* ]]; do :; done
bg %2 2>&1
{ kill -KILL %2; wait $second; } 2>/dev/null; echo "second: $?"
(read -r _ <gate; exit 5) & reader=$!
# bash's wait -n misses a child that ends between its look at the jobs and its wait, on any system.
(exit 6) & while kill -0 $! 2>/dev/null; do :; done
wait -n $!; echo "any: $?"
echo go >gate; while kill -0 $reader 2>/dev/null; do :; done
wait -n; echo "next: $?"
kill -USR1 $$
kill -TERM $$
(trap - TERM; kill -TERM $BASHPID; echo never); echo "subshell $?"
bash -c 'kill -SEGV $$' 2>/dev/null; echo "segv $?"
bash -c 'trap "echo inner; exit 3" INT; kill -INT $$; echo never'; echo "inner $?"
bash -c 'trap "" INT; kill -INT $$; echo "ignored INT"'
({ echo ready >&8; exec sleep 1002; } | { echo ready >&8; exec sleep 1003; }) & group=$!
read -r _ <&8; read -r _ <&8
{ kill -- -$group; wait $group; } 2>/dev/null; echo "group $?"
disown -a
nohup bash -c 'kill -HUP $$; echo "survived HUP"' 2>/dev/null
timeout -s INT 0.1 sleep 100; echo "timeout $?"
timeout --preserve-status -s KILL 0.1 sleep 100; echo "timeout kill $?"
for i in 1 2 3 4 5 6 7 8; do (exit $i) & pids[$i]=$!; done
for i in 8 7 6 5 4 3 2 1; do wait "${pids[$i]}"; echo -n "$? "; done; echo
n=0; trap 'n=$((n + 1))' CHLD
for i in {1..5}; do /bin/true; done
echo "children $((n >= 5))"
trap - CHLD
fg %99 2>&1 | sed 's/.*fg/fg/'
kill -USR2 $$
echo never
