//: about: C: futex_waitv and its like, among threads and processes; mutexes with priority inheritance; robust ones over execve
//: link: both
#include "try.h"
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

struct waiter {  // struct futex_waitv
  uint64_t value, address;
  uint32_t flags, reserved;
};

enum { word = 2, own = FUTEX_PRIVATE_FLAG };

static long wait_any(struct waiter *waiters, unsigned count, unsigned flags, struct timespec *until, int clock) {
  return syscall(SYS_futex_waitv, waiters, count, flags, until, clock);
}

static struct waiter wait_for(_Atomic uint32_t *at, uint32_t value, uint32_t flags) {
  return (struct waiter){value, (uintptr_t)at, flags, 0};
}

static struct timespec in_ms(int ms) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  t.tv_nsec += ms * 1000000L;
  return (struct timespec){t.tv_sec + t.tv_nsec / 1000000000, t.tv_nsec % 1000000000};
}

static void refusals(void) {
  _Atomic uint32_t a = 1;
  struct waiter one = wait_for(&a, 1, word | own), bad;
  struct timespec past = {0, 0}, wrong = {0, 1000000000};
  TRY(wait_any(&one, 0, 0, NULL, 0));
  TRY(wait_any(&one, 129, 0, NULL, 0));
  TRY(wait_any(NULL, 1, 0, NULL, 0));
  TRY(wait_any(&one, 1, 1, NULL, 0));
  TRY(wait_any(&one, 1, 0, &past, CLOCK_MONOTONIC));
  TRY(wait_any(&one, 1, 0, &past, CLOCK_PROCESS_CPUTIME_ID));
  TRY(wait_any(&one, 1, 0, &wrong, CLOCK_MONOTONIC));
  TRY(wait_any((struct waiter *)8, 1, 0, NULL, 0));
  bad = one, bad.value = 2;
  TRY(wait_any(&bad, 1, 0, NULL, 0));
  bad = one, bad.value = 1ull << 32;
  TRY(wait_any(&bad, 1, 0, NULL, 0));
  bad = one, bad.reserved = 1;
  TRY(wait_any(&bad, 1, 0, NULL, 0));
  bad = one, bad.flags = word | 64;
  TRY(wait_any(&bad, 1, 0, NULL, 0));
  bad = one, bad.address++;
  TRY(wait_any(&bad, 1, 0, NULL, 0));
  bad = one, bad.address = 64;
  TRY(wait_any(&bad, 1, 0, NULL, 0));
  uint32_t *none = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  TRY(syscall(SYS_futex, none, FUTEX_WAKE, 1));
  TRY(syscall(SYS_futex, none, FUTEX_WAKE | own, 1));
  TRY(syscall(SYS_futex, &a, FUTEX_CMP_REQUEUE, 1, 1, none, 1));
  TRY(syscall(SYS_futex, &a, FUTEX_CMP_REQUEUE | own, 1, 1, none, 1));
  TRY(syscall(SYS_futex, none, FUTEX_CMP_REQUEUE, 1, 1, &a, 1));
}

static _Atomic uint32_t words[3];
static uint32_t flags_now;

static void *wake_last(void *at) {
  usleep(20000);
  _Atomic uint32_t *word_at = at;
  atomic_store(word_at, 5);
  syscall(SYS_futex, word_at, FUTEX_WAKE | (flags_now & own), 1);
  return NULL;
}

// Which of several was woken.
static void among_threads(uint32_t flags) {
  flags_now = flags;
  for (int i = 0; i < 3; i++) {
    pthread_t thread;
    struct waiter waiters[3];
    for (int j = 0; j < 3; j++) atomic_store(&words[j], 0), waiters[j] = wait_for(&words[j], 0, flags);
    pthread_create(&thread, NULL, wake_last, &words[i]);
    struct timespec until = in_ms(5000);
    TRY(wait_any(waiters, 3, 0, &until, CLOCK_MONOTONIC));
    pthread_join(thread, NULL);
  }
  struct waiter one = wait_for(&words[0], words[0], flags);
  struct timespec until = in_ms(10);
  TRY(wait_any(&one, 1, 0, &until, CLOCK_MONOTONIC));
}

static void nothing(int signo) { (void)signo; }

static void among_processes(void) {
  _Atomic uint32_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  struct waiter waiters[2] = {wait_for(shared, 0, word), wait_for(shared + 1, 0, word)};
  pid_t pid = split();
  if (pid == 0) {
    TRY(wait_any(waiters, 2, 0, NULL, 0));
    leave(0);
  }
  while (syscall(SYS_futex, shared + 1, FUTEX_WAKE, 1) == 0) usleep(1000);
  show_end("the one that waited", pid);
  struct sigaction action = {.sa_handler = nothing};
  sigaction(SIGALRM, &action, NULL);
  ualarm(20000, 20000);  // the first may ring before it waits
  TRY(wait_any(waiters, 2, 0, NULL, 0));
  ualarm(0, 0);
}

static void *sleeper(void *at) {
  return (void *)syscall(455, at, 0ul, ~0u, word | own, NULL, 0);
}

static void younger_calls(void) {
  static _Atomic uint32_t a, b;
  pthread_t threads[3];
  struct timespec soon = in_ms(10);
  if (syscall(454, &a, ~0u, 1, word | own) == -1 && errno == ENOSYS) {
    printf("younger calls: right\n");  // than this kernel
    return;
  }
  long right = syscall(455, &a, 1ul, ~0u, word | own, NULL, 0) == -1 && errno == EAGAIN;
  right += syscall(455, &a, 0ul, ~0u, word | own, &soon, CLOCK_MONOTONIC) == -1 && errno == ETIMEDOUT;
  right += syscall(455, &a, 0ul, 0, word | own, NULL, 0) == -1 && errno == EINVAL;
  right += syscall(454, &a, ~0u, 1, 64) == -1 && errno == EINVAL;
  for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, sleeper, (void *)&a);
  while (syscall(SYS_futex, &a, FUTEX_REQUEUE | own, 0, 3, &a, 0) < 3) usleep(1000);  // moves nobody: how many sleep
  struct waiter two[2] = {wait_for(&a, 0, word | own), wait_for(&b, 0, word | own)};
  right += syscall(456, two, 0, 1, 2) == 3;
  right += syscall(454, &b, ~0u, 2, word | own) == 2;
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  printf("younger calls: %s\n", right == 6 ? "right" : "wrong");
}

static pthread_mutex_t inheriting;
static long counted;

static void *count(void *unused) {
  for (int i = 0; i < 300; i++) {
    pthread_mutex_lock(&inheriting);
    const long before = counted;
    if (i % 8 == 0) sched_yield();
    if (i % 64 == 0) usleep(100);
    counted = before + 1;
    pthread_mutex_unlock(&inheriting);
  }
  return unused;
}

static void priority(void) {
  pthread_t threads[6];
  pthread_mutexattr_t how;
  pthread_mutexattr_init(&how);
  pthread_mutexattr_setprotocol(&how, PTHREAD_PRIO_INHERIT);
  pthread_mutex_init(&inheriting, &how);
  for (int i = 0; i < 6; i++) pthread_create(&threads[i], NULL, count, NULL);
  for (int i = 0; i < 6; i++) pthread_join(threads[i], NULL);
  printf("counted %ld\n", counted);
}

static _Atomic uint32_t turn;

static void *take_turns(void *me) {
  for (int i = 0; i < 10000; i++) {
    uint32_t now;
    while ((now = atomic_load(&turn)) % 2 != (uintptr_t)me) syscall(SYS_futex, &turn, FUTEX_WAIT | own, now, NULL);
    atomic_store(&turn, now + 1);
    syscall(SYS_futex, &turn, FUTEX_WAKE | own, 1);
  }
  return NULL;
}

// A wake does not miss who has looked, and is about to sleep.
static void in_turn(void) {
  pthread_t threads[2];
  for (uintptr_t i = 0; i < 2; i++) pthread_create(&threads[i], NULL, take_turns, (void *)i);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  printf("turns %u\n", turn);
}

static void robust(char *self) {
  pthread_mutex_t *mutex = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_mutexattr_t how;
  pthread_mutexattr_init(&how);
  pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(mutex, &how);
  int ends[2];
  char byte = 0;
  NEED(pipe(ends));
  pid_t pid = split();
  if (pid == 0) {
    pthread_mutex_lock(mutex);
    NEED(write(ends[1], "x", 1));
    execl(self, self, "executed", NULL);
  }
  NEED(read(ends[0], &byte, 1));
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 20;
  const int locked = pthread_mutex_timedlock(mutex, &until);
  printf("of one that executed another program: %s\n", strerrorname_np(locked));
  kill(pid, SIGKILL);
}

int main(int argc, char **argv) {
  (void)argv;
  if (argc > 1) return pause();
  refusals();
  among_threads(word | own);
  among_threads(word);
  among_processes();
  younger_calls();
  priority();
  in_turn();
  robust(argv[0]);
  return 0;
}
