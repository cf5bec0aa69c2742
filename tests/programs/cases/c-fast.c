//: about: C: short calls made so often that they take the quick way: ids, clocks, plain I/O, in children and handlers
//: link: both
//: opaque: counted
#include "try.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>


extern char** environ;

enum { often = 300 };
static int pipe_fds[2];
static char* volatile nowhere = (char*)8;
static volatile sig_atomic_t handled, pid_in_handler, pid_errors;

static long long now(int clock, int number) {
  struct timespec t = {-1, -1};
  struct timeval v = {-1, -1};
  if (number == SYS_gettimeofday) {
    NEED(syscall(SYS_gettimeofday, &v, NULL));
    return v.tv_sec * 1000000000LL + v.tv_usec * 1000LL;
  }
  NEED(number == 0 ? clock_gettime(clock, &t) : syscall(number, clock, &t));
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

// A clock never goes back, whichever way it is read.
static void clocks(void) {
  static const int all[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME, CLOCK_TAI};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    int back = 0, odd = 0;
    long long last = now(all[i], 0);
    for (int j = 0; j < often; j++) {
      long long next = now(all[i], j % 2 ? SYS_clock_gettime : 0);
      back += next < last;
      odd += next - last > 10000000000LL;
      last = next;
    }
    printf("clock %d: back %d, leaps %d\n", all[i], back, odd);
  }
  long long before = now(CLOCK_REALTIME, 0), day = now(0, SYS_gettimeofday), after = now(CLOCK_REALTIME, 0);
  printf("gettimeofday between: %d\n", day >= before - 1000 && day <= after);
  long seconds = syscall(SYS_time, NULL), stored = 0;
  printf("time: %d %d\n", seconds - before / 1000000000LL + 1 <= 2, syscall(SYS_time, &stored) == stored);
  struct timespec t;
  for (int j = 0; j < often; j++) {
    if (j < often - 1) {
      clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
      continue;
    }
    TRY(syscall(SYS_clock_gettime, CLOCK_PROCESS_CPUTIME_ID, &t));
    TRY(syscall(SYS_clock_gettime, 4711, &t));
    TRY(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, nowhere));
    TRY(syscall(SYS_gettimeofday, nowhere, NULL));
    TRY(syscall(SYS_gettimeofday, NULL, NULL));
  }
}

// Whether getpid and gettid are what they should be, time after time.
static int ids_right(pid_t pid, pid_t tid) {
  int wrong = 0;
  for (int j = 0; j < often; j++) wrong += syscall(SYS_getpid) != pid || (tid && syscall(SYS_gettid) != tid);
  return wrong == 0;
}

static void* thread_ids(void* arg) {
  pid_t tid = (pid_t)syscall(SYS_gettid);
  *(int*)arg = ids_right(getpid(), tid) && tid != getpid();
  return arg;
}

static void ids(void) {
  pid_t outer = getpid();
  printf("here: %d\n", ids_right(outer, outer));
  pid_t child = split();
  if (child == 0) {
    int right = ids_right(getpid(), getpid()) && getpid() != outer;
    for (int j = 0; j < often; j++) right &= getppid() == outer;
    printf("in a child: %d\n", right);
    pid_t grandchild = split();
    if (grandchild == 0) leave(ids_right(getpid(), getpid()) && getpid() != outer ? 0 : 1);
    show_end("grandchild", grandchild);
    leave(0);
  }
  show_end("child", child);
  static volatile pid_t seen;
  child = vfork();
  if (child == 0) {
    for (int j = 0; j < often; j++) seen = (pid_t)syscall(SYS_getpid);
    _exit(seen == outer);
  }
  show_end("vfork", child);
  printf("back: %d, the child's: %d\n", ids_right(outer, outer), seen == child);
  int right[3] = {0};
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, thread_ids, &right[i]);
  int mine = ids_right(outer, outer);
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  printf("threads: %d %d %d %d\n", mine, right[0], right[1], right[2]);
}

// With a mask that the terminal has to know before anything is forwarded.
static void with_signals_blocked(void) {
  uid_t user = getuid(), effective = geteuid();
  gid_t group = getgid(), effective_group = getegid();
  pid_t parent = getppid();
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  int wrong = 0;
  for (int j = 0; j < often; j++) {
    wrong += getuid() != user || geteuid() != effective || getgid() != group || getegid() != effective_group;
    wrong += getppid() != parent;
  }
  sigprocmask(SIG_SETMASK, &before, NULL);
  printf("ids with signals blocked: wrong %d\n", wrong);
}

static void on_signal(int n) {
  handled++;
  pid_errors += syscall(SYS_getpid) != pid_in_handler;
  (void)n;
}

// A timer that strikes all the time: no call is lost or done twice.
static void under_signals(void) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  NEED(sigaction(SIGALRM, &action, NULL));
  pid_in_handler = getpid();
  struct itimerval quick = {{0, 200}, {0, 200}}, none = {{0, 0}, {0, 0}};
  NEED(setitimer(ITIMER_REAL, &quick, NULL));
  int wrong = 0, file = (int)NEED(open("counted", O_RDWR | O_CREAT, 0644));
  for (int i = 0; handled < 200; i++) {
    char out = (char)i, in = 0;
    wrong += write(pipe_fds[1], &out, 1) != 1 || read(pipe_fds[0], &in, 1) != 1 || in != out;
    wrong += syscall(SYS_getpid) != pid_in_handler;
    wrong += pwrite(file, &out, 1, i % 100) != 1 || pread(file, &in, 1, i % 100) != 1 || in != out;
    wrong += now(CLOCK_MONOTONIC, 0) <= 0;
  }
  NEED(setitimer(ITIMER_REAL, &none, NULL));
  printf("under signals: wrong %d, %d in handlers, size %ld\n", wrong, (int)pid_errors, (long)lseek(file, 0, SEEK_END));
  close(file);
}

// A read that waits is ended by a handler without SA_RESTART, and goes on after one with it.
static void interrupted(void) {
  for (int restart = 0; restart < 2; restart++) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = restart ? SA_RESTART : 0};
    NEED(sigaction(SIGUSR1, &action, NULL));
    pid_t parent = getpid(), child = split();
    if (child == 0) {
      usleep(100000);
      kill(parent, SIGUSR1);
      usleep(100000);
      NEED(write(pipe_fds[1], "x", 1));
      _exit(0);
    }
    char byte = 0;
    int before = handled;
    ssize_t got = read(pipe_fds[0], &byte, 1);
    printf("restart %d: %zd %s, handled %d\n", restart, got, got < 0 ? strerrorname_np(errno) : "", handled - before);
    if (got < 0) NEED(read(pipe_fds[0], &byte, 1));
    waitpid(child, NULL, 0);
  }
}

static void errors(void) {
  char byte = 0;
  struct iovec parts[2] = {{&byte, 1}, {NULL, 1}};
  parts[1].iov_base = nowhere;
  for (int j = 0; j < 10; j++) (void)!(read(-1, &byte, 1) + write(-1, &byte, 1));
  TRY(read(-1, &byte, 1));
  TRY(read(pipe_fds[1], &byte, 1));
  TRY(write(pipe_fds[1], nowhere, 1));
  TRY(writev(pipe_fds[1], parts, 2));
  TRY(lseek(pipe_fds[0], 0, SEEK_SET));
  int broken[2];
  NEED(pipe(broken));
  close(broken[0]);
  signal(SIGPIPE, SIG_IGN);
  TRY(write(broken[1], "x", 1));
  struct sigaction action = {.sa_handler = on_signal};
  NEED(sigaction(SIGPIPE, &action, NULL));
  int before = handled;
  TRY(write(broken[1], "x", 1));
  printf("handled %d\n", handled - before);
}

// A served file takes the place of a host's under the same number, and goes again.
static void served(void) {
  char text[8] = "";
  int fd = (int)NEED(open("counted", O_RDONLY));
  for (int j = 0; j < often; j++) NEED(pread(fd, text, 1, 0));
  int status = (int)NEED(open("/proc/self/comm", O_RDONLY));
  NEED(dup2(status, fd));
  close(status);
  printf("served: %zd %.6s\n", read(fd, text, 7), text);
  int again = (int)NEED(open("counted", O_RDONLY));
  NEED(dup2(again, fd));
  printf("host's: %zd\n", pread(fd, text, 1, 0));
}

int main(int argc, char** argv) {
  if (argc > 1) return !(ids_right(getpid(), getpid()) && getppid() == atoi(argv[1]));
  NEED(pipe(pipe_fds));
  clocks();
  ids();
  char parent[16];
  snprintf(parent, sizeof parent, "%d", getpid());
  pid_t spawned;
  char* arguments[] = {argv[0], parent, NULL};
  fflush(stdout);
  errno = posix_spawn(&spawned, argv[0], NULL, NULL, arguments, environ);
  show_end("spawned", spawned);
  with_signals_blocked();
  under_signals();
  interrupted();
  errors();
  served();
  clocks();
  return 0;
}
