//: about: C: writes larger than a pipe or socket holds, to a thread or a process that is slow, beside a busy thread; signals in them
//: link: both
#include "try.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { size = 5 << 17 };

static char *data;
static atomic_int over;

static void *spin(void *unused) {
  while (!over) {}
  return unused;
}

// Reads all of `fd`, in odd portions, and compares.
static void *read_all(void *fd) {
  static _Thread_local char part[10007];
  size_t total = 0;
  int wrong = 0;
  ssize_t n;
  while ((n = read((int)(long)fd, part, sizeof part)) > 0) {
    wrong += memcmp(part, data + total, (size_t)n) != 0;
    total += (size_t)n;
    if (total % 7 == 0) usleep(100);
  }
  printf("read %zu, wrong %d, then %zd\n", total, wrong, n);
  return NULL;
}

static ssize_t by_write(int fd) { return write(fd, data, size); }

static ssize_t by_writev(int fd) {
  struct iovec parts[3] = {{data, 5}, {data + 5, 0}, {data + 5, size - 5}};
  return writev(fd, parts, 3);
}

static ssize_t by_send(int fd) { return send(fd, data, size, MSG_NOSIGNAL); }

static ssize_t by_sendmsg(int fd) {
  struct iovec parts[2] = {{data, size / 2}, {data + size / 2, size - size / 2}};
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
  return sendmsg(fd, &message, 0);
}

static void to_thread(const char *name, ssize_t (*put)(int), int from, int to) {
  pthread_t reader;
  NEED(-pthread_create(&reader, NULL, read_all, (void *)(long)from));
  printf("%s: %zd\n", name, put(to));
  close(to);
  pthread_join(reader, NULL);
  close(from);
}

static void to_process(const char *name, ssize_t (*put)(int), int from, int to) {
  pid_t pid = split();
  if (pid == 0) {
    close(to);
    read_all((void *)(long)from);
    leave(0);
  }
  close(from);
  ssize_t done = put(to);
  close(to);
  show_end("reader", pid);
  printf("%s: %zd\n", name, done);
}

static void all(void (*to)(const char *, ssize_t (*)(int), int, int)) {
  int ends[2];
  NEED(pipe(ends));
  to("write", by_write, ends[0], ends[1]);
  NEED(pipe(ends));
  to("writev", by_writev, ends[0], ends[1]);
  NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  to("write to a socket", by_write, ends[0], ends[1]);
  NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  to("send", by_send, ends[0], ends[1]);
  NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  to("sendmsg", by_sendmsg, ends[0], ends[1]);
}

static void ring(int unused) { (void)unused; }

// A handler ends a write that has begun, and the pipe is full by then; one that has not begun, without SA_RESTART.
static void interrupted(const char *name) {
  int ends[2];
  NEED(pipe(ends));
  int capacity = fcntl(ends[1], F_GETPIPE_SZ);
  struct sigaction action = {.sa_handler = ring, .sa_flags = SA_RESTART};
  NEED(sigaction(SIGALRM, &action, NULL));
  ualarm(50000, 50000);
  printf("%s: a full pipe's worth %d\n", name, write(ends[1], data, size) == capacity);
  action.sa_flags = 0;
  NEED(sigaction(SIGALRM, &action, NULL));
  TRY(write(ends[1], data, size));
  ualarm(0, 0);
  NEED(fcntl(ends[1], F_SETFL, O_NONBLOCK));
  TRY(write(ends[1], data, size));
  close(ends[0]);
  signal(SIGPIPE, SIG_IGN);
  TRY(write(ends[1], data, size));
  close(ends[1]);
}

int main(void) {
  data = malloc(size);
  for (int i = 0; i < size; i++) data[i] = (char)(i * 2654435761u >> 24);
  all(to_process);
  interrupted("alone");
  pthread_t spinner;
  NEED(-pthread_create(&spinner, NULL, spin, NULL));
  all(to_thread);
  all(to_process);
  interrupted("with threads");
  int ends[2];
  NEED(pipe(ends));
  TRY(write(ends[0], data, 1));
  TRY(write(ends[0], data, size));
  TRY(read(ends[1], data, 1));
  over = 1;
  pthread_join(spinner, NULL);
  return 0;
}
