//: about: C: while other threads run: O_NONBLOCK set, cleared by others, gone with the number; sockets' timeouts, MSG_WAITALL
//: link: both
#include "try.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>

static int pair[2];
static atomic_int stop;

static void *idles(void *unused) {
  while (!stop) usleep(5000);
  return unused;
}

static void *writes_late(void *text) {
  usleep(20000);
  NEED(write(pair[1], text, strlen(text)));
  return NULL;
}

// Fails at once, whichever way it is asked.
static void never_waits(const char *how) {
  char bytes[8];
  struct iovec vector = {bytes, sizeof bytes};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  int refused = 0;
  for (int i = 0; i < 3; i++) {
    refused += read(pair[0], bytes, sizeof bytes) == -1 && errno == EAGAIN;
    refused += readv(pair[0], &vector, 1) == -1 && errno == EAGAIN;
    refused += recv(pair[0], bytes, sizeof bytes, 0) == -1 && errno == EAGAIN;
    refused += recvmsg(pair[0], &message, 0) == -1 && errno == EAGAIN;
  }
  printf("%s: refused %d\n", how, refused);
}

// Waits for what comes late, whichever way it is asked.
static void waits(const char *how) {
  for (int i = 0; i < 3; i++) {
    char bytes[8] = "";
    struct iovec vector = {bytes, sizeof bytes};
    pthread_t late;
    pthread_create(&late, NULL, writes_late, "late");
    ssize_t got = i == 0 ? read(pair[0], bytes, sizeof bytes) : i == 1 ? readv(pair[0], &vector, 1) : recv(pair[0], bytes, 8, 0);
    printf("%s: %zd %s\n", how, got, bytes);
    pthread_join(late, NULL);
  }
}

static void set_waiting(int fd, int on) {
  int flags = (int)NEED(fcntl(fd, F_GETFL));
  NEED(fcntl(fd, F_SETFL, on ? flags & ~O_NONBLOCK : flags | O_NONBLOCK));
}

static void by_others(void) {
  int on = 1;
  set_waiting(pair[0], 0);
  never_waits("fcntl");
  int other = (int)NEED(dup(pair[0]));
  set_waiting(other, 1);
  waits("cleared by a duplicate");
  NEED(ioctl(other, FIONBIO, &on));
  never_waits("FIONBIO of a duplicate");
  on = 0;
  NEED(ioctl(pair[0], FIONBIO, &on));
  waits("FIONBIO");
  set_waiting(pair[0], 0);
  never_waits("again");
  pid_t pid = split();
  if (pid == 0) {
    set_waiting(other, 1);
    leave(0);
  }
  show_end("another process", pid);
  waits("cleared by it");
  set_waiting(pair[0], 0);
  never_waits("once more");
  NEED(close(other));
}

// Another file of the same number.
static void reused(void) {
  int fresh[2];
  NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, fresh));
  NEED(close(pair[0]) | close(pair[1]));
  NEED(dup2(fresh[0], pair[0]) | dup2(fresh[1], pair[1]));
  waits("the number of one that did not");
  set_waiting(pair[0], 0);
  never_waits("now it does not");
  NEED(dup2(fresh[0], pair[0]));
  set_waiting(fresh[0], 1);
  waits("put in its place");
}

// All that there is room for, and no more.
static void full(void) {
  static char much[4 << 20];
  set_waiting(pair[1], 0);
  ssize_t sent = 0, once;
  while ((once = write(pair[1], much, sizeof much)) > 0) sent += once;
  printf("a part of it %d, then %s\n", sent > 0 && sent < (ssize_t)sizeof much, strerrorname_np(errno));
  TRY(send(pair[1], much, 1, 0));
  set_waiting(pair[0], 0);
  ssize_t got = 0;
  while ((once = read(pair[0], much, sizeof much)) > 0) got += once;
  TRY(got == sent);
  NEED(shutdown(pair[0], SHUT_RDWR));
  signal(SIGPIPE, SIG_IGN);
  TRY(write(pair[1], "x", 1));
  TRY(send(pair[1], "x", 1, 0));
  TRY(read(pair[1], much, 1));
  TRY(syscall(SYS_write, pair[1], 8, 1));
}

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void nothing(int signo) { (void)signo; }

static void *interrupts(void *whom) {
  for (int i = 0; i < 3; i++) {
    usleep(10000);
    pthread_kill(*(pthread_t *)whom, SIGUSR1);
  }
  return NULL;
}

static void timeouts(void) {
  static char much[4 << 20];
  char bytes[8];
  struct timeval limit = {0, 40000};
  struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "listener"};
  NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  NEED(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
  NEED(setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
  double start = now_ms();
  TRY(recv(pair[0], bytes, sizeof bytes, 0));
  TRY(read(pair[0], bytes, sizeof bytes));
  TRY(now_ms() - start >= 80);
  waits("in time");
  ssize_t sent = send(pair[0], much, sizeof much, 0);
  TRY(sent > 0 && sent < (ssize_t)sizeof much);
  TRY(write(pair[0], much, 10));
  int listener = (int)NEED(socket(AF_UNIX, SOCK_STREAM, 0));
  NEED(bind(listener, (struct sockaddr *)&name, sizeof name) | listen(listener, 1));
  NEED(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
  TRY(accept(listener, NULL, NULL));
  close(listener);
  unlink("listener");
  // A handler ends a call that has a time limit, SA_RESTART or not.
  struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART};
  NEED(sigaction(SIGUSR1, &action, NULL));
  limit.tv_sec = 20;
  NEED(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
  pthread_t self = pthread_self(), other;
  pthread_create(&other, NULL, interrupts, &self);
  TRY(recv(pair[0], bytes, sizeof bytes, 0));
  pthread_join(other, NULL);
  limit = (struct timeval){0, 0};
  NEED(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
  NEED(close(pair[0]) | close(pair[1]));
}

enum { parts = 20, part = 1000 };

static void *writes_parts(void *unused) {
  char bytes[part];
  for (int i = 0; i < parts; i++) {
    memset(bytes, 'a' + i, part);
    NEED(write(pair[1], bytes, part));
    usleep(2000);
  }
  close(pair[1]);
  return unused;
}

static void *vforks(void *unused) {
  while (!stop) {
    pid_t pid = vfork();
    if (pid == 0) _exit(0);
    NEED(waitpid(pid, NULL, 0));
    usleep(500);
  }
  return unused;
}

// Neither signals that the program does not see nor parts make it less.
static void all_of_it(void) {
  static char bytes[parts * part];
  pthread_t writer, forker;
  NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  pthread_create(&forker, NULL, vforks, NULL);
  pthread_create(&writer, NULL, writes_parts, NULL);
  TRY(recv(pair[0], bytes, part * 3 / 2, MSG_WAITALL));
  TRY(recv(pair[0], bytes, part * (parts - 3), MSG_WAITALL));
  printf("%c %c\n", bytes[0], bytes[part * (parts - 3) - 1]);
  TRY(recv(pair[0], bytes, sizeof bytes, MSG_WAITALL));
  TRY(recv(pair[0], bytes, sizeof bytes, MSG_WAITALL));
  stop = 1;
  pthread_join(writer, NULL);
  pthread_join(forker, NULL);
}

int main(void) {
  pthread_t idle;
  NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  pthread_create(&idle, NULL, idles, NULL);
  by_others();
  reused();
  full();
  timeouts();
  all_of_it();
  pthread_join(idle, NULL);
}
