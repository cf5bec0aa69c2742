/* The libc functions that libosp-preload.so takes the place of: results, errno, interruption, cancellation.
 * Prints one line for each point, the same with and without Osprey. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

static void say(const char *what, int good) { printf("%s: %s\n", what, good ? "right" : "wrong"); }

static int fails(long result, int error) { return result == -1 && errno == error; }

static void check_files(void) {
  const off_t far = (off_t)5 << 32;
  char text[16] = "";
  const int fd = open("file", O_RDWR | O_CREAT | O_EXCL, 0640);
  struct stat st;
  say("write", write(fd, "twelve bytes", 12) == 12);
  say("lseek", lseek(fd, 7, SEEK_SET) == 7 && lseek(fd, 0, SEEK_CUR) == 7);
  say("read", read(fd, text, 16) == 5 && memcmp(text, "bytes", 5) == 0);
  say("pwrite", pwrite(fd, "end", 3, far) == 3 && lseek(fd, 0, SEEK_END) == far + 3);
  say("pread", pread(fd, text, 16, far + 1) == 2 && memcmp(text, "nd", 2) == 0);
  say("fstat", fstat(fd, &st) == 0 && st.st_size == far + 3 && (st.st_mode & 07777) == 0640);
  say("stat", stat("file", &st) == 0 && st.st_size == far + 3);
  say("symlink", symlink("file", "link") == 0 && lstat("link", &st) == 0 && S_ISLNK(st.st_mode));
  say("readlink", readlink("link", text, sizeof text) == 4 && memcmp(text, "file", 4) == 0);
  say("fstatat", fstatat(AT_FDCWD, "link", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode));
  say("fstatat follows", fstatat(AT_FDCWD, "link", &st, 0) == 0 && S_ISREG(st.st_mode));
  say("access", access("file", R_OK) == 0);
  say("close", close(fd) == 0);
}

static void check_errors(void) {
  struct stat st;
  char byte;
  say("read of no file", fails(read(-1, &byte, 1), EBADF));
  say("write from nowhere", fails(write(1, (void *)8, 1), EFAULT));
  say("pread of a pipe", ({ int p[2]; pipe(p); const int f = fails(pread(p[0], &byte, 1, 0), ESPIPE); close(p[0]), close(p[1]); f; }));
  say("pwrite before the start", fails(pwrite(1, &byte, 1, -1), EINVAL));
  say("lseek nowhere", ({ const int fd = open("file", O_RDONLY); const int f = fails(lseek(fd, -1, SEEK_SET), EINVAL); close(fd); f; }));
  say("close twice", fails(close(77), EBADF));
  say("open of nothing", fails(open("nothing", O_RDONLY), ENOENT));
  say("stat of nothing", fails(stat("nothing", &st), ENOENT) && fails(lstat("nothing", &st), ENOENT));
  say("fstat of no file", fails(fstat(77, &st), EBADF) && fails(fstatat(AT_FDCWD, "nothing", &st, 0), ENOENT));
  say("access of nothing", fails(access("nothing", F_OK), ENOENT));
  say("readlink of a file", fails(readlink("file", &byte, 1), EINVAL));
}

static int writer;
static volatile sig_atomic_t alarms;

static void on_alarm(int signo) {
  (void)signo;
  if (++alarms == 3) (void)!write(writer, "x", 1);
}

/* Interval timers interrupt the read: three times until the handler itself ends it. */
static void check_interruption(void) {
  int ends[2];
  char byte = 0;
  pipe(ends);
  writer = ends[1];
  struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, NULL);
  const struct itimerval often = {{0, 20000}, {0, 20000}}, never = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &often, NULL);
  say("read begins again", read(ends[0], &byte, 1) == 1 && byte == 'x' && alarms >= 3);
  setitimer(ITIMER_REAL, &never, NULL);
  action.sa_flags = 0;
  sigaction(SIGALRM, &action, NULL);
  alarms = 5;
  setitimer(ITIMER_REAL, &often, NULL);
  say("read is interrupted", fails(read(ends[0], &byte, 1), EINTR));
  setitimer(ITIMER_REAL, &never, NULL);
}

static void *read_for_ever(void *fd) {
  char byte;
  (void)!read(*(int *)fd, &byte, 1);
  return NULL;
}

static void check_cancellation(void) {
  int ends[2];
  pipe(ends);
  pthread_t thread;
  void *result = NULL;
  pthread_create(&thread, NULL, read_for_ever, &ends[0]);
  pthread_cancel(thread);
  pthread_join(thread, &result);
  say("read is a cancellation point", result == PTHREAD_CANCELED);
  char byte;
  say("errno of each thread", fails(read(-1, &byte, 1), EBADF));
}

int main(void) {
  umask(0);
  check_files();
  check_errors();
  check_interruption();
  check_cancellation();
  return 0;
}
