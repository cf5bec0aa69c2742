// What kernels cost a program: bench/native.py runs this file unchanged on the microkernel and as /init of a Linux
// guest. Each figure is in ticks of the time stamp counter, and the least of some batches. With QEMU's -icount shift=0
// a tick is one instruction. A measure that is not known, or a call that fails, ends the program with status 1.
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

enum { batches = 5 };

static void fail(const char* what) {
  fprintf(stderr, "bench-native: %s: %s\n", what, strerror(errno));
  exit(1);
}

static uint64_t ticks(void) { return __rdtsc(); }

// Ticks that `count` runs of `act` take together, the least of the batches.
static uint64_t least(void (*act)(long), long count) {
  uint64_t best = UINT64_MAX;
  for (int i = 0; i < batches; ++i) {
    const uint64_t start = ticks();
    act(count);
    const uint64_t took = ticks() - start;
    if (took < best) best = took;
  }
  return best;
}

// 100 instructions a time, to see what a tick is.
static void count_instructions(long count) {
  asm volatile(
      "1:\n .rept 98\n nop\n .endr\n"
      "dec %0\n jnz 1b"
      : "+r"(count)
      :
      : "cc");
}

static void read_ticks(long count) {
  while (count-- > 0) ticks();
}

static void null_calls(long count) {
  while (count-- > 0) syscall(SYS_getppid);
}

static void read_clock(long count) {
  struct timespec now;
  while (count-- > 0) clock_gettime(CLOCK_MONOTONIC, &now);
}

// What the clock says of `count` times 100 instructions, in ns.
static uint64_t nanoseconds(long count) {
  struct timespec from, to;
  clock_gettime(CLOCK_MONOTONIC, &from);
  count_instructions(count);
  clock_gettime(CLOCK_MONOTONIC, &to);
  return (uint64_t)((to.tv_sec - from.tv_sec) * 1000000000 + to.tv_nsec - from.tv_nsec);
}

// --- Two threads ---

static atomic_uint turn;
static atomic_uint last_turn;

// Takes every other turn, and sleeps through the others'.
static void play(unsigned parity, unsigned end) {
  for (unsigned now = turn; now < end; now = turn) {
    if (now % 2 != parity) {
      syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, now, NULL);
      continue;
    }
    turn = now + 1;
    syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1);
  }
}

static void* play_odd(void* unused) {
  play(1, last_turn);
  return unused;
}

static void play_even(long count) { play(0, turn + (unsigned)count); }

static void start(pthread_t* thread, void* (*body)(void*)) {
  errno = pthread_create(thread, NULL, body, NULL);
  if (errno != 0) fail("pthread_create");
}

static uint64_t futex_switches(long count) {
  pthread_t other;
  turn = 0;
  last_turn = (unsigned)(batches * count);
  start(&other, play_odd);
  const uint64_t took = least(play_even, count);
  pthread_join(other, NULL);
  return took;
}

static atomic_bool stop;
static atomic_int runs;
static atomic_long switches;

static void yield_as(int self) {
  if (runs != self) {
    runs = self;
    ++switches;
  }
  syscall(SYS_sched_yield);
}

static void* yield_other(void* unused) {
  while (!stop) yield_as(1);
  return unused;
}

static void yield_until(long count) {
  for (const long end = switches + count; switches < end;) yield_as(0);
}

// Until so many switches have been seen, however many calls that takes.
static uint64_t yield_switches(long count) {
  pthread_t other;
  stop = 0;
  start(&other, yield_other);
  const uint64_t took = least(yield_until, count);
  stop = 1;
  pthread_join(other, NULL);
  return took;
}

static int there[2], back[2];

static void pass(int from, int to) {
  char byte = 0;
  if (from >= 0 && read(from, &byte, 1) != 1) fail("read of a pipe");
  if (write(to, &byte, 1) != 1) fail("write to a pipe");
}

static void* answer_pipe(void* unused) {
  char byte = 0;
  while (read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1 && byte == 0) {
  }
  return unused;
}

static void ask_pipe(long count) {
  char byte = 0;
  while (count-- > 0) {
    pass(-1, there[1]);
    if (read(back[0], &byte, 1) != 1) fail("read of a pipe");
  }
}

static void make_pipes(void) {
  if (pipe(there) != 0 || pipe(back) != 0) fail("pipe");
}

static void end_answering(void) {
  char last = 1;
  if (write(there[1], &last, 1) != 1) fail("write to a pipe");
}

static uint64_t pipe_threads(long count) {
  pthread_t other;
  make_pipes();
  start(&other, answer_pipe);
  const uint64_t took = least(ask_pipe, count);
  end_answering();
  pthread_join(other, NULL);
  return took;
}

// --- Processes ---

static uint64_t pipe_processes(long count) {
  make_pipes();
  const pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    answer_pipe(NULL);
    _exit(0);
  }
  const uint64_t took = least(ask_pipe, count);
  end_answering();
  if (waitpid(child, NULL, 0) != child) fail("waitpid");
  return took;
}

static void fork_and_wait(long count) {
  while (count-- > 0) {
    const pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) _exit(0);
    if (waitpid(child, NULL, 0) != child) fail("waitpid");
  }
}

// --- What there is ---

static uint64_t of_instructions(long count) { return least(count_instructions, count); }
static uint64_t of_ticks(long count) { return least(read_ticks, count); }
static uint64_t of_null_calls(long count) { return least(null_calls, count); }
static uint64_t of_clock(long count) { return least(read_clock, count); }
static uint64_t of_forks(long count) { return least(fork_and_wait, count); }

static const struct {
  const char* name;
  uint64_t (*measure)(long);
  long count;
} measures[] = {{"instructions", of_instructions, 10000},
                {"nanoseconds", nanoseconds, 100000},
                {"ticks", of_ticks, 10000},
                {"clock", of_clock, 2000},
                {"null", of_null_calls, 2000},
                {"futex", futex_switches, 2000},
                {"yield", yield_switches, 2000},
                {"pipe-threads", pipe_threads, 1000},
                {"pipe-processes", pipe_processes, 1000},
                {"fork", of_forks, 20}};

static int measure(const char* name) {
  for (size_t i = 0; i < sizeof measures / sizeof *measures; ++i)
    if (strcmp(measures[i].name, name) == 0) {
      const uint64_t took = measures[i].measure(measures[i].count);
      printf("%s %.1f\n", name, (double)took / (double)measures[i].count);
      return 0;
    }
  fprintf(stderr, "bench-native: no measure is called %s\n", name);
  return 1;
}

// The names of measures; none: only the first words. As Linux's first process it must not
// end: bench/native.py ends the machine.
int main(int argc, char** argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  puts("begin");
  int status = 0;
  for (int i = 1; i < argc; ++i) status |= measure(argv[i]);
  puts(status == 0 ? "end" : "failed");
  if (getpid() == 1)
    for (;;) pause();
  return status;
}
