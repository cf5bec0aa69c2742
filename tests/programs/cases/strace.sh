#: about: strace: the calls of programs, with their children and threads, and attached to one that runs; addresses and ids left out
#: needs: strace
#: doors: run
#: timeout: 120
#: quick: 1
# What differs each time, and what the core answers otherwise: where libraries lie, rseq, the loader's cache.
plain() {
  sed -E -e 's/^[0-9]+ +//' -e 's/^\[pid +[0-9]+\] //' -e 's/0x[0-9a-f]+/ADDR/g' -e '/^(rseq|brk|mmap|munmap|mprotect|arch_prctl|set_tid|set_robust|prlimit|getrandom|pread|access)/d' \
      -e '/SIGCHLD/!s/[0-9]{3,}/N/g' -e 's/si_pid=[0-9]+/si_pid=N/; s/si_uid=[0-9]+/si_uid=N/; s/si_[us]time=[0-9]+/si_time=N/g'
}
strace -o calls sh -c 'cd /; pwd >/dev/null; umask; exit 3'
echo "status $?"
plain <calls | grep -E '^(execve|chdir|umask|exit_group|\+\+\+)' | sed 's/ADDR.*/ADDR/'
strace -f -o calls -e trace=process,signal sh -c 'trap "echo usr1" USR1; kill -USR1 $$; (exit 5); echo $?; /bin/true; exec true' 2>&1
echo "status $?"
plain <calls | grep -cE 'SIGUSR1 \{si_signo=SIGUSR1, si_code=SI_USER'
plain <calls | grep -oE '^\+\+\+ .*|exited with 5' | sort
strace -c -o calls -f sh -c 'true; /bin/true'
grep -cE ' (execve|wait4)$' calls
strace -o calls -e inject=getppid:retval=77 python3 -S -c 'import os; print(os.getppid())'
strace -o calls -e trace=none -e signal=all sh -c 'trap "echo trapped" USR2; kill -USR2 $$; kill -TERM $$' 2>/dev/null
echo "status $?"
plain <calls
mkfifo gate
sh -c 'read line <gate; exit 6' & child=$!
strace -o calls -p $child 2>/dev/null & tracer=$!
until grep -q . calls && [ "$(sed -n 's/^TracerPid:\t//p' /proc/$child/status)" = $tracer ]; do sleep 0.1; done
echo go >gate
wait $child; echo "child $?"
wait $tracer; echo "tracer $?"
plain <calls | grep -E 'exited with'
sleep 1000 & child=$!
strace -o calls -p $child 2>/dev/null & tracer=$!
until grep -q . calls && [ "$(sed -n 's/^TracerPid:\t//p' /proc/$child/status)" = $tracer ]; do sleep 0.1; done
sleep 0.3 # it is attached, and has yet to see the call
kill -INT $tracer
wait $tracer; echo "tracer $?"
kill $child
wait $child; echo "child $?"
grep -o '<detached ...>' calls
rm calls
