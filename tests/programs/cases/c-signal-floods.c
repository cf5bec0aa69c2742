//: about: C: a timer that rings faster than signals are taken, one whose signal is blocked, a thousand queued signals at once; timers end with execve
//: link: both
#include "try.h"
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

static timer_t timer;
static volatile int calls, overruns;
static volatile sig_atomic_t queued, out_of_order;

static timer_t make_timer(int signo) {
  timer_t made;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = signo};
  NEED(timer_create(CLOCK_REALTIME, &event, &made));
  return made;
}

static void stop_timer(int signo) {
  (void)signo;
  if (calls++ != 0) return;
  const struct itimerspec never = {{0, 0}, {0, 0}};
  overruns = timer_getoverrun(timer);
  timer_settime(timer, 0, &never, NULL);
}

// It rings each nanosecond since four seconds: the handler must come to stop it, and the count is capped.
static void faster_than_taken(void) {
  struct itimerspec each = {.it_interval = {0, 1}};
  struct sigaction action = {.sa_handler = stop_timer};
  NEED(sigaction(SIGUSR1, &action, NULL));
  timer = make_timer(SIGUSR1);
  NEED(clock_gettime(CLOCK_REALTIME, &each.it_value));
  each.it_value.tv_sec -= 4;
  NEED(timer_settime(timer, TIMER_ABSTIME, &each, NULL));
  while (calls == 0) continue;
  printf("capped %d, called once or twice %d\n", overruns == INT_MAX, calls <= 2);
  NEED(timer_delete(timer));
  TRY(timer_getoverrun(timer));
}

// Of a signal that waits there is one, which says how often the timer rang.
static void blocked(int signo) {
  sigset_t set;
  siginfo_t info;
  const struct itimerspec each = {{0, 100000}, {0, 1}}, never = {{0, 0}, {0, 0}};
  const struct timespec pause = {0, 20000000}, none = {0, 0};
  sigemptyset(&set);
  sigaddset(&set, signo);
  NEED(sigprocmask(SIG_BLOCK, &set, NULL));
  timer = make_timer(signo);
  NEED(timer_settime(timer, 0, &each, NULL));
  struct timespec start, now;
  NEED(clock_gettime(CLOCK_MONOTONIC, &start));
  do NEED(clock_gettime(CLOCK_MONOTONIC, &now));
  while ((now.tv_sec - start.tv_sec) * 1000000000 + now.tv_nsec - start.tv_nsec < pause.tv_nsec);
  NEED(sigtimedwait(&set, &info, &none));
  printf("rang often %d, as told %d\n", info.si_overrun > 50, timer_getoverrun(timer) == info.si_overrun);
  NEED(timer_settime(timer, 0, &never, NULL));
  while (sigtimedwait(&set, &info, &none) > 0) continue;
  NEED(timer_delete(timer));
}

static void count(int signo, siginfo_t *info, void *context) {
  (void)signo;
  (void)context;
  if (info->si_value.sival_int != queued) out_of_order = 1;
  queued++;
}

// All arrive, in order, whether or not they come faster than they are taken.
static void many_at_once(void) {
  enum { most = 1000 };
  struct sigaction action = {.sa_sigaction = count, .sa_flags = SA_SIGINFO};
  sigset_t set, before;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 1);
  NEED(sigaction(SIGRTMIN + 1, &action, NULL));
  NEED(sigprocmask(SIG_BLOCK, &set, &before));
  pid_t pid = split();
  if (pid == 0) {
    for (int i = 0; i < most; i++) NEED(sigqueue(getppid(), SIGRTMIN + 1, (union sigval){.sival_int = i}));
    leave(0);
  }
  show_end("sender", pid);
  NEED(sigprocmask(SIG_SETMASK, &before, NULL));
  printf("queued %d, out of order %d\n", (int)queued, (int)out_of_order);
}

static volatile sig_atomic_t over;
static void *compute(void *arg) {
  while (!over) continue;
  return arg;
}

// What was sent twice at once, and taken, can be sent again, whichever threads compute meanwhile.
static void after_a_flood(void) {
  enum { rounds = 200, threads = 2 };
  const struct timespec none = {0, 0}, long_time = {20, 0};
  pthread_t thread[threads];
  int taken = 0, ready[2];
  sigset_t set;
  char byte = 0;
  NEED(pipe(ready));
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  NEED(sigprocmask(SIG_BLOCK, &set, NULL));
  pid_t pid = split();
  if (pid == 0) {
    for (int i = 0; i < rounds; i++) {
      for (int k = 0; k < 4; k++) kill(getppid(), SIGUSR1);
      NEED(read(ready[0], &byte, 1));
    }
    leave(0);
  }
  for (int i = 0; i < threads; i++) pthread_create(&thread[i], NULL, compute, NULL);
  while (taken < rounds && sigtimedwait(&set, NULL, &long_time) == SIGUSR1) {
    taken++;
    while (sigtimedwait(&set, NULL, &none) == SIGUSR1) continue;
    NEED(write(ready[1], &byte, 1));
  }
  over = 1;
  for (int i = 0; i < threads; i++) pthread_join(thread[i], NULL);
  printf("rounds %d\n", taken);
  show_end("sender", pid);
}

// execve(2) removes timers.
static void executed(char *self) {
  const struct itimerspec soon = {{0, 0}, {0, 20000000}};
  pid_t pid = split();
  if (pid == 0) {
    timer = make_timer(SIGUSR2);
    NEED(timer_settime(timer, 0, &soon, NULL));
    execl(self, self, "executed", NULL);
  }
  show_end("executed", pid);
}

int main(int argc, char **argv) {
  if (argc > 1) {
    const struct timespec pause = {0, 100000000};
    TRY(nanosleep(&pause, NULL));
    TRY(timer_delete(0));
    return 0;
  }
  faster_than_taken();
  blocked(SIGUSR2);
  blocked(SIGRTMIN + 2);
  many_at_once();
  after_a_flood();
  executed(argv[0]);
  return 0;
}
