//: about: C: masks, pending, suspend, timed wait, real-time order, SA_ flags, restarts, timers, signals to threads and groups
//: link: both
//: libs: -lm
#include "try.h"
#include <fenv.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

static volatile sig_atomic_t hits, depth, deepest;
static int order[64], ordered;
static pthread_t main_thread;
static volatile int in_main;

static void hit(int n) {
  (void)n;
  hits++;
  in_main = pthread_equal(pthread_self(), main_thread) != 0;
}

static void note(int n, siginfo_t *info, void *context) {
  (void)context;
  order[ordered++ % 64] = n * 1000 + info->si_value.sival_int;
}

static void nested(int n) {
  if (++depth > deepest) deepest = depth;
  if (++hits < 5) raise(n);
  depth--;
}

static void handle(int n, void (*handler)(int), int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  NEED(sigaction(n, &action, NULL));
}

static sigset_t set_of(int a, int b) {
  sigset_t set;
  sigemptyset(&set);
  if (a) sigaddset(&set, a);
  if (b) sigaddset(&set, b);
  return set;
}

static void masks(void) {
  sigset_t set = set_of(SIGUSR1, SIGUSR2), old, pending, none = set_of(0, 0);
  handle(SIGUSR1, hit, 0);
  handle(SIGUSR2, hit, 0);
  NEED(sigprocmask(SIG_BLOCK, &set, &old));
  for (int i = 0; i < 5; i++) kill(getpid(), SIGUSR1);
  NEED(sigpending(&pending));
  printf("pending %d %d hits %d\n", sigismember(&pending, SIGUSR1), sigismember(&pending, SIGUSR2), hits);
  TRY(sigsuspend(&none));
  printf("hits %d\n", hits);
  struct timespec now = {0, 0}, soon = {0, 10000000};
  siginfo_t info;
  TRY(sigtimedwait(&set, &info, &now));
  TRY(sigtimedwait(&set, &info, &soon));
  kill(getpid(), SIGUSR2);
  TRY(sigwaitinfo(&set, &info));
  printf("code %d own pid %d uid %d\n", info.si_code, info.si_pid == getpid(), info.si_uid == getuid());
  raise(SIGUSR2);
  signal(SIGUSR2, SIG_IGN);
  NEED(sigpending(&pending));
  printf("ignored: pending %d\n", sigismember(&pending, SIGUSR2));
  NEED(sigprocmask(SIG_SETMASK, &old, NULL));
  TRY(sigprocmask(99, &set, NULL));
  TRY(sigaction(SIGKILL, &(struct sigaction){.sa_handler = hit}, NULL));
  TRY(sigaction(65, NULL, NULL));
  TRY(kill(getpid(), 65));
  TRY(kill(getpid(), 0));
  TRY(kill(999999999, 0));
}

static void queue(void) {
  sigset_t all, old;
  sigfillset(&all);
  struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
  sigfillset(&action.sa_mask);
  for (int n = SIGRTMIN; n < SIGRTMIN + 4; n++) NEED(sigaction(n, &action, NULL));
  NEED(sigprocmask(SIG_BLOCK, &all, &old));
  for (int i = 0; i < 3; i++)
    for (int n = SIGRTMIN + 3; n >= SIGRTMIN; n--) NEED(sigqueue(getpid(), n, (union sigval){.sival_int = i}));
  NEED(sigprocmask(SIG_SETMASK, &old, NULL));
  for (int i = 0; i < ordered; i++) printf("%d ", order[i] - SIGRTMIN * 1000);
  printf("\n");
}

static void flags(void) {
  handle(SIGUSR1, nested, SA_NODEFER);
  hits = 0;
  raise(SIGUSR1);
  printf("nested %d\n", deepest);
  deepest = hits = 0;
  handle(SIGUSR1, nested, 0);
  raise(SIGUSR1);
  printf("deferred %d\n", deepest);
  handle(SIGUSR1, hit, SA_RESETHAND);
  raise(SIGUSR1);
  struct sigaction now;
  sigaction(SIGUSR1, NULL, &now);
  printf("reset %d\n", now.sa_handler == SIG_DFL);
  handle(SIGUSR1, hit, SA_RESTART | SA_NODEFER);
  sigaction(SIGUSR1, NULL, &now);
  printf("flags %x\n", (unsigned)now.sa_flags & ~0x4000000u);
}

static void every(long us) {
  struct itimerval timer = {{0, us}, {0, us}};
  NEED(setitimer(ITIMER_REAL, &timer, NULL));
}

static void *write_later(void *arg) {
  while (hits < 3) usleep(1000);
  NEED(write(*(int *)arg, "later", 5));
  return NULL;
}

static void restarts(void) {
  int p[2], sv[2];
  char buffer[10];
  NEED(pipe(p));
  NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
  sigset_t alarms = set_of(SIGALRM, 0);
  handle(SIGALRM, hit, 0);
  every(10000);
  TRY(read(p[0], buffer, 10));
  TRY(recv(sv[0], buffer, 10, 0));
  TRY(poll(&(struct pollfd){p[0], POLLIN, 0}, 1, -1));
  TRY(pause());
  TRY(usleep(900000));
  handle(SIGALRM, hit, SA_RESTART);
  TRY(poll(NULL, 0, -1));
  TRY(pause());
  hits = 0;
  pthread_t thread;
  sigset_t old;
  pthread_sigmask(SIG_BLOCK, &alarms, &old);
  pthread_create(&thread, NULL, write_later, &p[1]);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  TRY(read(p[0], buffer, 10));
  pthread_join(thread, NULL);
  struct timespec request = {1, 0}, remaining = {0};
  handle(SIGALRM, hit, 0);
  TRY(nanosleep(&request, &remaining));
  printf("remaining %d\n", remaining.tv_sec == 0 && remaining.tv_nsec > 500000000);
  every(0);
  TRY(alarm(100));
  TRY(alarm(0));
  TRY(nanosleep(&(struct timespec){0, 1000000000}, NULL));
  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  start.tv_nsec += 20000000;
  start = (struct timespec){start.tv_sec + start.tv_nsec / 1000000000, start.tv_nsec % 1000000000};
  TRY(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &start, NULL));
  clock_gettime(CLOCK_MONOTONIC, &end);
  printf("not early %d\n", end.tv_sec > start.tv_sec || (end.tv_sec == start.tv_sec && end.tv_nsec >= start.tv_nsec));
}

static void timers(void) {
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 5, .sigev_value.sival_int = 17};
  sigset_t set = set_of(SIGRTMIN + 5, 0);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  NEED(timer_create(CLOCK_MONOTONIC, &event, &timer));
  NEED(timer_settime(timer, 0, &(struct itimerspec){{0, 5000000}, {0, 5000000}}, NULL));
  siginfo_t info;
  for (int i = 0; i < 3; i++) NEED(sigwaitinfo(&set, &info));
  printf("timer code %d value %d\n", info.si_code, info.si_value.sival_int);
  struct itimerspec left;
  NEED(timer_gettime(timer, &left));
  printf("interval %ld, left %d\n", left.it_interval.tv_nsec, left.it_value.tv_nsec <= 5000000);
  TRY(timer_delete(timer));
}

static void *to_thread(void *arg) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, NULL);
  siginfo_t info;
  sigset_t one = set_of(SIGUSR2, 0);
  int n = sigwaitinfo(&one, &info);
  printf("thread got %d code %d\n", n, info.si_code);
  kill(getpid(), SIGUSR1);
  return arg;
}

static void threads(void) {
  pthread_t thread;
  handle(SIGUSR1, hit, 0);
  handle(SIGUSR2, hit, 0);
  sigset_t both = set_of(SIGUSR1, SIGUSR2), old;
  pthread_sigmask(SIG_BLOCK, &both, &old);
  hits = in_main = 0;
  pthread_create(&thread, NULL, to_thread, NULL);
  pthread_kill(thread, SIGUSR2);
  while (hits == 0) sigsuspend(&old);
  pthread_join(thread, NULL);
  printf("hits %d in main %d\n", hits, in_main);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  TRY(syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1));
  TRY(syscall(SYS_tgkill, getpid(), 999999999, SIGUSR1));
}

static void group(void) {
  pid_t pid = split();
  if (pid == 0) {
    NEED(setpgid(0, 0));
    signal(SIGTERM, SIG_IGN);
    pid_t child = split();
    if (child == 0) {
      signal(SIGTERM, SIG_DFL);
      NEED(kill(0, SIGTERM));
      for (;;) pause();
    }
    show_end("member", child);
    leave(3);
  }
  show_end("leader", pid);
  int p[2];
  NEED(pipe(p));
  close(p[0]);
  signal(SIGPIPE, SIG_IGN);
  TRY(write(p[1], "x", 1));
  signal(SIGPIPE, SIG_DFL);
  pid = split();
  if (pid == 0) leave((int)write(p[1], "x", 1));
  show_end("broken pipe", pid);
}

static void rounding(int n) {
  (void)n;
  fesetround(FE_DOWNWARD);
  hits = hits + fetestexcept(FE_DIVBYZERO);
}

static void floating(void) {
  hits = 0;
  fesetround(FE_UPWARD);
  feraiseexcept(FE_DIVBYZERO);
  handle(SIGUSR1, rounding, 0);
  for (int i = 0; i < 10; i++) raise(SIGUSR1);
  printf("rounding kept %d, exceptions kept %d\n", fegetround() == FE_UPWARD, fetestexcept(FE_DIVBYZERO) != 0);
}

int main(void) {
  main_thread = pthread_self();
  setvbuf(stdout, NULL, _IOLBF, 0);
  masks();
  queue();
  flags();
  restarts();
  timers();
  threads();
  group();
  floating();
  raise(SIGTERM);
}
