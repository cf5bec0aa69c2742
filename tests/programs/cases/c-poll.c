//: about: C: select, poll, ppoll, epoll in its modes, eventfd, timerfd, signalfd, pipes, splice, tee, non-blocking files
//: link: both
//: on: host pip
#include "try.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

static char buffer[70000];

static int ready(int fd, short events, int timeout) {
  struct pollfd p = {fd, events, 0};
  int n = poll(&p, 1, timeout);
  return n <= 0 ? n : p.revents;
}

static void pipes(void) {
  int p[2], q[2];
  NEED(pipe2(p, O_NONBLOCK | O_CLOEXEC));
  TRY(fcntl(p[0], F_GETFL));
  TRY(fcntl(p[0], F_GETFD));
  TRY(read(p[0], buffer, 1));
  TRY(ready(p[0], POLLIN, 0));
  TRY(ready(p[1], POLLOUT, 0));
  long total = 0;
  for (ssize_t n; (n = write(p[1], buffer, 4096)) > 0;) total += n;
  printf("filled %ld, %s\n", total, strerrorname_np(errno));
  TRY(ready(p[1], POLLOUT, 0));
  int pending;
  TRY(ioctl(p[0], FIONREAD, &pending));
  printf("pending %d\n", pending);
  TRY(fcntl(p[1], F_GETPIPE_SZ));
  NEED(pipe(q));
  TRY(tee(p[0], q[1], 100, 0));
  TRY(splice(p[0], NULL, q[1], NULL, 5000, 0));
  TRY(read(q[0], buffer, 70000) > 0);
  close(p[1]);
  while (read(p[0], buffer, sizeof buffer) > 0) {}
  TRY(read(p[0], buffer, 1));
  TRY(ready(p[0], POLLIN, -1));
  TRY(ready(999, POLLIN, 0));
  TRY(ready(open("/dev/null", O_RDWR), POLLIN | POLLOUT, 0));
}

static void selects(void) {
  int p[2];
  NEED(pipe(p));
  fd_set in;
  FD_ZERO(&in);
  FD_SET(p[0], &in);
  struct timeval t = {0, 10000};
  TRY(select(p[0] + 1, &in, NULL, NULL, &t));
  printf("left %ld\n", (long)t.tv_usec);
  NEED(write(p[1], "x", 1));
  FD_SET(p[0], &in);
  TRY(select(p[0] + 1, &in, NULL, NULL, NULL));
  TRY(FD_ISSET(p[0], &in) != 0);
  close(p[0]);
  FD_SET(p[0], &in);
  TRY(select(p[0] + 1, &in, NULL, NULL, NULL));
  TRY(ppoll(NULL, 0, &(struct timespec){0, 1000000}, NULL));
}

static void epolls(void) {
  int e = (int)NEED(epoll_create1(EPOLL_CLOEXEC)), outer = (int)NEED(epoll_create1(0)), p[2];
  struct epoll_event event = {EPOLLIN, {.u64 = 0x1122334455667788}}, got[4];
  NEED(pipe(p));
  TRY(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &event));
  TRY(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &event));
  TRY(epoll_ctl(e, EPOLL_CTL_ADD, e, &event));
  TRY(epoll_ctl(outer, EPOLL_CTL_ADD, e, &event));
  TRY(epoll_ctl(e, EPOLL_CTL_DEL, p[1], NULL));
  TRY(epoll_ctl(e, EPOLL_CTL_ADD, open("file", O_CREAT | O_RDWR, 0600), &event));
  TRY(epoll_wait(e, got, 4, 5));
  NEED(write(p[1], "ab", 2));
  TRY(epoll_wait(outer, got, 4, -1));
  TRY(epoll_wait(e, got, 4, -1));
  printf("%x %lx\n", got[0].events, (unsigned long)got[0].data.u64);
  TRY(epoll_wait(e, got, 4, 0));
  event.events = EPOLLIN | EPOLLET;
  NEED(epoll_ctl(e, EPOLL_CTL_MOD, p[0], &event));
  TRY(epoll_wait(e, got, 4, 0));
  TRY(epoll_wait(e, got, 4, 0));
  NEED(write(p[1], "c", 1));
  TRY(epoll_wait(e, got, 4, 0));
  event.events = EPOLLIN | EPOLLONESHOT;
  NEED(epoll_ctl(e, EPOLL_CTL_MOD, p[0], &event));
  TRY(epoll_wait(e, got, 4, 0));
  TRY(epoll_wait(e, got, 4, 0));
  int copy = dup(p[0]);
  event.events = EPOLLIN;
  NEED(epoll_ctl(e, EPOLL_CTL_MOD, p[0], &event));
  close(p[0]);
  TRY(epoll_wait(e, got, 4, 0));
  close(copy);
  TRY(epoll_wait(e, got, 4, 0));
  TRY(epoll_wait(e, got, 0, 0));
}

static volatile sig_atomic_t rang;
static void ring(int signo) {
  (void)signo;
  rang++;
}

// Every 5 ms, since the first may ring before the wait has begun.
static void ring_on(void) { ualarm(5000, 5000); }
static void ring_off(void) { ualarm(0, 0); }

// A signal's handler ends the wait, whatever SA_RESTART says; a signal that has no effect does not.
static void epoll_signals(void) {
  int e = (int)NEED(epoll_create1(0)), flags[] = {0, SA_RESTART};
  struct epoll_event got[4];
  sigset_t none, alarm_only;
  sigemptyset(&none);
  sigemptyset(&alarm_only);
  sigaddset(&alarm_only, SIGALRM);
  for (int i = 0; i < 2; i++) {
    struct sigaction action = {.sa_handler = ring, .sa_flags = flags[i]};
    NEED(sigaction(SIGALRM, &action, NULL));
    for (int timeout = -1; timeout < 5000; timeout += 3000) {
      ring_on();
      TRY(epoll_wait(e, got, 4, timeout));
      TRY(epoll_pwait(e, got, 4, timeout, NULL));
      ring_off();
    }
    const int before = rang;
    sigprocmask(SIG_BLOCK, &alarm_only, NULL);
    raise(SIGALRM);
    TRY(epoll_wait(e, got, 4, 5));
    TRY(epoll_pwait(e, got, 4, -1, &none));
    sigprocmask(SIG_UNBLOCK, &alarm_only, NULL);
    printf("rang %s, then %d\n", before >= 4 ? "at least 4 times" : "too seldom", (int)rang - before);
  }
  signal(SIGALRM, SIG_IGN);
  ualarm(5000, 0);
  TRY(epoll_wait(e, got, 4, 30));
  TRY(epoll_wait(-1, got, 4, 0));
  TRY(epoll_wait(0, got, 4, 0));
  close(e);
}

static void *add(void *arg) {
  eventfd_write(*(int *)arg, 5);
  return NULL;
}

static void events(void) {
  int e = (int)NEED(eventfd(3, EFD_NONBLOCK)), s = (int)NEED(eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK));
  eventfd_t value;
  pthread_t thread;
  TRY(eventfd_read(e, &value));
  printf("value %lu\n", value);
  TRY(eventfd_read(e, &value));
  for (int i = 0; i < 3; i++) TRY(eventfd_read(s, &value));
  TRY(read(e, buffer, 4));
  pthread_create(&thread, NULL, add, &e);
  TRY(ready(e, POLLIN, -1));
  pthread_join(thread, NULL);
  TRY(eventfd_write(e, 0xfffffffffffffff0));
  int t = (int)NEED(timerfd_create(CLOCK_MONOTONIC, 0));
  struct itimerspec spec = {{0, 2000000}, {0, 2000000}};
  TRY(timerfd_settime(t, 0, &spec, NULL));
  unsigned long expired = 0, sum = 0;
  while (sum < 5) {
    TRY(read(t, &expired, 8) == 8 && expired > 0);
    sum += expired < 1 ? 0 : 1;
  }
  spec = (struct itimerspec){0};
  TRY(timerfd_settime(t, 0, &spec, NULL));
  TRY(ready(t, POLLIN, 5));
}

static void signals(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, NULL);
  int s = (int)NEED(signalfd(-1, &set, SFD_NONBLOCK));
  struct signalfd_siginfo info;
  TRY(read(s, &info, sizeof info));
  TRY(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 5}));
  TRY(read(s, &info, sizeof info));
  printf("%u %d %d\n", info.ssi_signo, info.ssi_code, info.ssi_int);
  if (split() == 0) leave(6);
  TRY(ready(s, POLLIN, -1));
  TRY(read(s, &info, sizeof info));
  printf("%u %d %d\n", info.ssi_signo, info.ssi_code, info.ssi_status);
  wait(NULL);
}

int main(void) {
  pipes();
  selects();
  epolls();
  epoll_signals();
  events();
  signals();
}
