#: about: gdb: breakpoints, steps, stacks, watching by software, threads, signals, forks, and attaching to a running process
#: needs: gdb gcc
#: doors: run
#: timeout: 180
#: quick: 1
#: opaque: program threads
cat >program.c <<'END'
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
volatile int total, handled, go;
static void handler(int signo) { handled += signo; }
static int add(int a, int b) {
  total += b;
  return a + b;
}
int main(int argc, char **argv) {
  int sum = 0;
  for (int i = 1; i < 4; i++) sum = add(sum, i);
  signal(SIGUSR1, handler);
  raise(SIGUSR1);
  printf("sum %d total %d handled %d arguments %d\n", sum, total, handled, argc);
  if (argc > 1) {
    puts("ready");
    fflush(stdout);
    while (!go) usleep(1000);
  }
  if (total == 0) abort();
  return sum;
}
END
cat >threads.c <<'END'
#include <pthread.h>
#include <stdio.h>
static pthread_barrier_t ready, over;
static void *body(void *arg) { pthread_barrier_wait(&ready); pthread_barrier_wait(&over); return arg; }
static void all_here(void) {}
int main(void) {
  pthread_t t[3];
  pthread_barrier_init(&ready, 0, 4);
  pthread_barrier_init(&over, 0, 4);
  for (long i = 0; i < 3; i++) pthread_create(&t[i], 0, body, (void *)i);
  pthread_barrier_wait(&ready);
  all_here();
  pthread_barrier_wait(&over);
  for (int i = 0; i < 3; i++) pthread_join(t[i], 0);
  puts("joined");
  return 0;
}
END
gcc -g -O0 -o program program.c && gcc -g -O0 -pthread -o threads threads.c || exit 1
# The lines of threads' ends come among the program's own. When the last thread's end and the program's come between
# two looks of gdb's, it says [New process N] of the program's own end: outside too (1 run of 200), inside more often.
debug() { gdb -nx -batch -iex 'set debuginfod enabled off' "$@" 2>&1 | sed -E 's/0x[0-9a-f]+/ADDR/g; s/(LWP|process|Id) [0-9]+/\1 N/g' |
          grep -vE 'libthread_db|New (Thread|process)|exited\]|^warning:'; }
debug -ex 'break add if b == 2' -ex run -ex bt -ex 'info locals' -ex next -ex next -ex 'print total' -ex finish \
      -ex 'print $rip == (long)$pc' -ex 'info breakpoints' -ex delete -ex continue program
debug -ex 'set can-use-hw-watchpoints 0' -ex 'break main' -ex run -ex 'watch total' -ex continue -ex continue -ex 'info watchpoints' -ex kill program
debug -ex 'handle SIGUSR1 stop print' -ex run -ex 'bt -1' -ex 'signal SIGUSR1' program
debug -ex 'break add' -ex run -ex 'set var total = 10' -ex 'print add(3, 4)' -ex 'delete' -ex 'print add(3, 4)' -ex stepi -ex stepi -ex 'x/i $pc' -ex continue program
debug -ex 'catch syscall write' -ex run -ex 'bt -1' -ex continue -ex 'delete' -ex continue program
debug -ex 'break all_here' -ex run -ex 'print $_thread' -ex 'thread 4' -ex 'print $_thread' -ex delete -ex continue threads | grep -vE '#|Frame|futex|thread'
debug -ex 'catch fork' -ex 'catch exec' -ex run -ex continue -ex continue --args sh -c '/bin/true; exec true' | grep -oE 'forked process|exec.d|exited.*'
: >out # the loop may come before the child
./program wait >out & child=$!
until grep -q ready out; do sleep 0.1; done
debug -p $child -ex 'frame function main' -ex 'print handled' -ex 'set var go = 1' -ex detach | grep -E 'main|\$1|detached'
wait $child; echo "status $?"
