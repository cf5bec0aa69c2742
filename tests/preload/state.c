/* What a program finds in the state that its loader and libc had before the core took over. Prints one line
 * for each point, the same with and without Osprey. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static void say(const char *what, int good) { printf("%s: %s\n", what, good ? "right" : "wrong"); }

static int recurse(int depth) {
  volatile char room[16384];
  memset((char *)room, depth, sizeof room);
  return depth == 0 ? 0 : recurse(depth - 1) + room[100] - (char)depth;
}

static void check_stack(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_STACK, &limit);
  pthread_attr_t attributes;
  void *start;
  size_t size;
  pthread_getattr_np(pthread_self(), &attributes);
  pthread_attr_getstack(&attributes, &start, &size);
  char here;
  say("stack found", &here > (char *)start && &here < (char *)start + size);
  say("deep recursion", recurse(7 * 1024 * 1024 / 16384 - 16) == 0);
}

static void check_break(void) {
  char *old = sbrk(0);
  char *got = sbrk(1 << 20);
  memset(got, 1, 1 << 20);
  say("break grows", got == old && sbrk(0) == old + (1 << 20));
  say("break shrinks", sbrk(-(1 << 20)) == old + (1 << 20) && sbrk(0) == old);
  char *big[64];
  for (int i = 0; i < 64; ++i) memset(big[i] = malloc(100000), i, 100000);
  int good = 1;
  for (int i = 0; i < 64; ++i) good &= big[i][99999] == i, free(big[i]);
  say("malloc", good);
}

static void check_clocks(void) {
  struct timespec by_vdso, by_call;
  clock_gettime(CLOCK_MONOTONIC, &by_vdso);
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &by_call);
  const int64_t apart = (by_call.tv_sec - by_vdso.tv_sec) * 1000000000 + by_call.tv_nsec - by_vdso.tv_nsec;
  say("clocks agree", apart >= 0);
  struct timeval now;
  gettimeofday(&now, NULL);
  const time_t seconds = time(NULL);  /* of the last tick: may be a second behind */
  say("wall clocks agree", seconds >= now.tv_sec - 1 && seconds <= now.tv_sec + 60);
  say("processor number", sched_getcpu() >= 0);
  say("vDSO in the aux vector", memcmp((void *)getauxval(AT_SYSINFO_EHDR), "\177ELF", 4) == 0);
}

static pthread_mutex_t robust;

static void *die_with_lock(void *unused) {
  (void)unused;
  pthread_mutex_lock(&robust);
  return NULL;
}

static void check_robust(void) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&robust, &attributes);
  pthread_t thread;
  pthread_create(&thread, NULL, die_with_lock, NULL);
  pthread_join(thread, NULL);
  say("robust mutex", pthread_mutex_lock(&robust) == EOWNERDEAD);
}

static volatile sig_atomic_t handled;
static void handle(int signo) { handled = signo; }

static void check_signals(void) {
  sigset_t mask;
  sigprocmask(SIG_SETMASK, NULL, &mask);
  say("nothing blocked", sigisemptyset(&mask));
  signal(SIGUSR1, handle);
  raise(SIGUSR1);
  say("handler", handled == SIGUSR1);
  struct sigaction action;
  sigaction(SIGUSR2, NULL, &action);
  say("ignored as before", action.sa_handler == SIG_IGN);
}

static pthread_t main_thread;

/* A signal that is pending already ends a wait whose mask lets it in. */
static void check_waits(void) {
  sigset_t one, none;
  sigemptyset(&none);
  sigemptyset(&one);
  sigaddset(&one, SIGUSR1);
  sigprocmask(SIG_BLOCK, &one, NULL);
  const int epoll = epoll_create1(0);
  struct epoll_event event;
  for (int way = 0; way < 3; ++way) {
    handled = 0;
    raise(SIGUSR1);
    getppid();
    const int result = way == 0   ? ppoll(NULL, 0, NULL, &none)
                       : way == 1 ? pselect(0, NULL, NULL, NULL, NULL, &none)
                                  : epoll_pwait(epoll, &event, 1, -1, &none);
    say("wait ended by a signal", result == -1 && errno == EINTR && handled == SIGUSR1);
  }
  close(epoll);
  sigprocmask(SIG_UNBLOCK, &one, NULL);
}

/* The main thread's end is seen through the address that libc gave the kernel before the core came. */
static void *outlive(void *unused) {
  (void)unused;
  say("join of the main thread", pthread_join(main_thread, NULL) == 0);
  fflush(stdout);
  _exit(7);
}

int main(int argc, char **argv) {
  say("arguments", argc == 2 && strcmp(argv[1], "an argument") == 0);
  say("environment", getenv("STATE_TEST") != NULL);
  say("pid and tid", getpid() == syscall(SYS_gettid) && getpid() == gettid());
  check_stack();
  check_break();
  check_clocks();
  check_robust();
  check_signals();
  check_waits();
  fflush(stdout);
  main_thread = pthread_self();
  pthread_t thread;
  pthread_create(&thread, NULL, outlive, NULL);
  pthread_exit(NULL);
}
