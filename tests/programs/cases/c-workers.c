//: about: C: threads that run at the same time: atomics, futexes, PI and robust mutexes, signals, fork and spawn beside them
//: link: both
#include "try.h"
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

enum { THREADS = 6, ROUNDS = 20000 };
static atomic_int stop, wrong, handled, at_once, most_at_once;
static atomic_long counter;
static long plain;
static pthread_mutex_t inheriting, robust, plain_mutex = PTHREAD_MUTEX_INITIALIZER;
extern char **environ;

static uint64_t mix(uint64_t x) {
  x ^= x >> 31;
  return x * 0x9e3779b97f4a7c15 + 1;
}

// Vector and general registers must be the thread's own whatever it calls and wherever it goes on.
static void *computes(void *arg) {
  uint64_t sum = (uint64_t)arg, check = sum;
  double x = (double)(long)arg, y = x;
  for (int i = 0; i < ROUNDS; i++) {
    sum = mix(sum);
    x = x * 1.0000001 + 0.5;
    if (i % 64 == 0) syscall(SYS_getppid);
    if (i % 512 == 0) sched_yield();
  }
  for (int i = 0; i < ROUNDS; i++) {
    check = mix(check);
    y = y * 1.0000001 + 0.5;
  }
  if (sum != check || x != y) wrong++;
  return NULL;
}

static void *counts(void *arg) {
  int now = ++at_once;
  for (int most = most_at_once; now > most && !atomic_compare_exchange_weak(&most_at_once, &most, now);) {
  }
  for (int i = 0; i < ROUNDS; i++) {
    counter++;
    pthread_mutex_t *mutex = arg;
    pthread_mutex_lock(mutex);
    plain++;
    pthread_mutex_unlock(mutex);
  }
  at_once--;
  return NULL;
}

static void *dies_with_lock(void *arg) {
  pthread_mutex_lock(&robust);
  return arg;
}

static void handle(int signo) { handled += signo == SIGUSR1; }
static void *spins(void *arg) {
  while (!stop) atomic_thread_fence(memory_order_seq_cst);
  return arg;
}

// Writes to its own bytes of pages that a spawned child writes to as well.
static char shared_page[8192];
static void *writes_beside(void *arg) {
  volatile unsigned char *mine = (unsigned char *)shared_page + 64 * (1 + (long)arg);
  unsigned char value = 0;
  while (!stop) {
    if (*mine != value) wrong++;
    *mine = ++value;
  }
  return NULL;
}

static void run_all(void *(*body)(void *), void *arg, int numbered) {
  pthread_t threads[THREADS];
  for (long i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, body, numbered ? (void *)i : arg);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

static void mutexes(void) {
  pthread_mutexattr_t kind;
  pthread_mutexattr_init(&kind);
  pthread_mutexattr_setprotocol(&kind, PTHREAD_PRIO_INHERIT);
  pthread_mutex_init(&inheriting, &kind);
  pthread_mutexattr_setprotocol(&kind, PTHREAD_PRIO_NONE);
  pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&robust, &kind);
  run_all(counts, &plain_mutex, 0);
  run_all(counts, &inheriting, 0);
  printf("counter %ld plain %ld\n", (long)counter, plain);
  pthread_t thread;
  pthread_create(&thread, NULL, dies_with_lock, NULL);
  pthread_join(thread, NULL);
  printf("robust: %s\n", strerrorname_np(pthread_mutex_lock(&robust)));
  pthread_mutex_consistent(&robust);
  pthread_mutex_unlock(&robust);
}

// A signal for one thread and for the process reaches threads that compute, and interrupts one that waits.
static void signals(void) {
  struct sigaction action = {.sa_handler = handle};
  sigaction(SIGUSR1, &action, NULL);
  pthread_t threads[3];
  stop = 0;
  for (long i = 0; i < 3; i++) pthread_create(&threads[i], NULL, spins, NULL);
  for (int i = 0; i < 30; i++) {
    int before = handled;
    if (i % 2 == 0)
      pthread_kill(threads[i % 3], SIGUSR1);
    else
      kill(getpid(), SIGUSR1);
    while (handled == before) sched_yield();
  }
  stop = 1;
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  printf("handled %d\n", (int)handled);
}

static void children(void) {
  pthread_t threads[3];
  stop = 0;
  for (long i = 0; i < 3; i++) pthread_create(&threads[i], NULL, writes_beside, (void *)i);
  int ended = 0, status = 0;
  for (int i = 0; i < 40; i++) {
    char *argv[] = {"true", NULL};
    pid_t child;
    if (i % 3 == 0) {
      child = vfork();
      if (child == 0) {
        *(volatile char *)shared_page = (char)i;  // the parent sees it
        execv("/bin/true", argv);
        _exit(1);
      }
      if (*(volatile char *)shared_page != (char)i) wrong++;
    } else if (i % 3 == 1) {
      if (posix_spawn(&child, "/bin/true", NULL, NULL, argv, environ) != 0) wrong++;
    } else {
      child = fork();
      if (child == 0) _exit(0);
    }
    if (waitpid(child, &status, 0) == child && status == 0) ended++;
  }
  stop = 1;
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  printf("children %d\n", ended);
}

static void *reads_state(void *arg) {
  int *seen = arg;
  for (int i = 0; i < 50; i++) {
    seen[0] += prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
    seen[1] += getuid() == geteuid();
    sched_yield();
  }
  return NULL;
}

// What the host keeps for each of its threads is the same for all of ours.
static void state_of_all(void) {
  int seen[2] = {0, 0};
  pthread_t spinner, reader;
  stop = 0;
  pthread_create(&spinner, NULL, spins, NULL);
  NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  pthread_create(&reader, NULL, reads_state, seen);
  pthread_join(reader, NULL);
  stop = 1;
  pthread_join(spinner, NULL);
  printf("no_new_privs %d same ids %d\n", seen[0], seen[1]);
}

static void *has_own_processors(void *arg) {
  cpu_set_t set, got;
  CPU_ZERO(&set);
  CPU_SET((int)(long)arg, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) return NULL;  // it may not have that many
  for (int i = 0; i < 200; i++) {
    sched_yield();
    sched_getaffinity(0, sizeof got, &got);
    if (!CPU_EQUAL(&set, &got) || sched_getcpu() != (int)(long)arg) wrong++;
  }
  return NULL;
}

static void *executes(void *arg) {
  execl("/bin/echo", "echo", "executed by a thread", NULL);
  return arg;
}

// SIGPIPE is the thread's that wrote: it may block it where others do not.
static void *writes_to_nobody(void *how) {
  int ends[2];
  sigset_t set, pending;
  struct timespec at_once_only = {0, 0};
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  TRY(syscall(SYS_ioprio_get, 1, gettid()));
  NEED(pipe2(ends, O_CLOEXEC));
  if (how != NULL) NEED(fcntl(ends[1], F_SETFL, O_NONBLOCK));
  close(ends[0]);
  for (int i = 0; i < 3; i++) TRY(write(ends[1], "x", 1));
  usleep(5000);
  sigpending(&pending);
  TRY(sigismember(&pending, SIGPIPE));
  TRY(sigtimedwait(&set, NULL, &at_once_only));
  sigpending(&pending);
  TRY(sigismember(&pending, SIGPIPE));
  close(ends[1]);
  return NULL;
}

static void broken_pipes(void) {
  pthread_t thread;
  for (int i = 0; i < 2; i++) {
    pthread_create(&thread, NULL, writes_to_nobody, i == 0 ? NULL : &thread);
    usleep(2000);
    pthread_join(thread, NULL);
  }
}

int main(void) {
  run_all(computes, NULL, 1);
  mutexes();
  signals();
  children();
  state_of_all();
  broken_pipes();
  run_all(has_own_processors, NULL, 1);
  printf("wrong %d\n", (int)wrong);
  stop = 0;
  fflush(stdout);
  pid_t child = split();
  if (child == 0) {
    pthread_t threads[3];
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, spins, NULL);
    pthread_create(&threads[2], NULL, executes, NULL);
    pthread_join(threads[2], NULL);
    _exit(9);
  }
  show_end("exec", child);
  return 0;
}
