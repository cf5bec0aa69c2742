//: about: C: close_range(2) over everything, with and without CLOEXEC; fds far apart that execve closes and keeps
//: link: both
//: on: host pip
#include "try.h"
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/syscall.h>


static long range(unsigned from, unsigned to, int flags) { return syscall(SYS_close_range, from, to, flags); }

// As bash has its script: one fd far above all others.
static void across_exec(void) {
  pid_t child = (pid_t)NEED(fork());
  if (child == 0) {
    int fd = (int)NEED(open("file", O_CREAT | O_RDWR, 0666));
    NEED(dup3(fd, 255, O_CLOEXEC));
    NEED(dup2(fd, 254));
    NEED(dup3(fd, 20, O_CLOEXEC));
    NEED(execl("/proc/self/exe", "c-fd-ranges", "executed", (char*)NULL));
  }
  show_end("executed", child);
}

static void executed(void) {
  TRY(fcntl(20, F_GETFD));
  TRY(fcntl(254, F_GETFD));
  TRY(fcntl(255, F_GETFD));
  TRY(write(254, "after\n", 6));
}

static void ranges(void) {
  int fd = (int)NEED(open("file", O_CREAT | O_RDWR, 0666)), directory = (int)NEED(open(".", O_RDONLY | O_DIRECTORY));
  NEED(dup2(fd, 40));
  NEED(dup2(directory, 41));
  NEED(dup2(fd, 900));
  TRY(range(5, 4, 0));
  TRY(range(40, 50, 1 << 10));
  TRY(range(40, ~0U, CLOSE_RANGE_CLOEXEC));
  TRY(fcntl(40, F_GETFD));
  TRY(fcntl(900, F_GETFD));
  TRY(write(40, "before\n", 7));
  TRY(range(41, ~0U, 0));
  TRY(fcntl(40, F_GETFD));
  TRY(fcntl(41, F_GETFD));
  TRY(fcntl(900, F_GETFD));
  TRY(openat(41, "file", O_RDONLY));
  TRY(range(3, ~0U, CLOSE_RANGE_UNSHARE));
  TRY(fcntl(fd, F_GETFD));
  TRY(open("file", O_RDONLY));
  TRY(access("file", R_OK));
}

int main(int argc, char** argv) {
  (void)argv;
  if (argc > 1) {
    executed();
    return 0;
  }
  ranges();
  fflush(stdout);
  across_exec();
  return 0;
}
