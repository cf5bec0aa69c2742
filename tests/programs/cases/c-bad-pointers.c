//: about: C: every call that takes a pointer, with pointers that are none: null, odd, the kernel's, unmapped, read-only
//: link: both
#include "try.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>

#define BAD ((long)0xbadbadbadbad)  // stands for the pointer that is tried

struct attempt {
  const char* name;
  long nr, arguments[6];
};

static int file, directory, pipe_end[2], null_fd, pair[2], epoll, socket_fd, timer_fd;
static struct timespec soon = {0, 1};
static char room[4096], *edge;

static void show_result(const char* name, const char* kind, long result) {
  if (result < 0)
    printf("%s %s: %s\n", name, kind, strerrorname_np(errno));
  else
    printf("%s %s: done\n", name, kind);
}

// What an attempt reads is there, whatever the one before took.
static void try_all(const struct attempt* list, size_t count, const char* kind, long pointer) {
  for (size_t i = 0; i < count; ++i) {
    long a[6];
    char left[64];
    while (read(pair[1], left, sizeof left) > 0) {
    }
    NEED(write(pair[0], "bytes", 5));
    *edge = 'x';
    for (int k = 0; k < 6; ++k) a[k] = list[i].arguments[k] == BAD ? pointer : list[i].arguments[k];
    show_result(list[i].name, kind, syscall(list[i].nr, a[0], a[1], a[2], a[3], a[4], a[5]));
  }
}

static void prepare(void) {
  NEED(file = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600));
  NEED(write(file, "some bytes in the file", 22));
  NEED(directory = open(".", O_RDONLY | O_DIRECTORY));
  NEED(pipe2(pipe_end, O_NONBLOCK));
  NEED(null_fd = open("/dev/null", O_RDWR));
  NEED(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
  NEED(epoll = epoll_create1(0));
  NEED(socket_fd = socket(AF_UNIX, SOCK_STREAM, 0));
  NEED(timer_fd = (int)syscall(SYS_timerfd_create, CLOCK_MONOTONIC, 0));
}

// The kernel reads or writes only what the pointer leads to.
static void try_kind(const char* kind, long pointer) {
  const long at = AT_FDCWD;
  const struct attempt list[] = {
      // Files by name.
      {"open", SYS_open, {BAD, O_RDONLY}},
      {"openat", SYS_openat, {at, BAD, O_RDONLY}},
      {"stat", SYS_stat, {BAD, (long)room}},
      {"stat's result", SYS_stat, {(long)"file", BAD}},
      {"lstat's result", SYS_lstat, {(long)"file", BAD}},
      {"fstat", SYS_fstat, {file, BAD}},
      {"newfstatat", SYS_newfstatat, {at, BAD, (long)room, 0}},
      {"statx", SYS_statx, {at, BAD, 0, STATX_BASIC_STATS, (long)room}},
      {"statx's result", SYS_statx, {at, (long)"file", 0, STATX_BASIC_STATS, BAD}},
      {"access", SYS_access, {BAD, R_OK}},
      {"faccessat2", SYS_faccessat2, {at, BAD, R_OK, 0}},
      {"chdir", SYS_chdir, {BAD}},
      {"mkdir", SYS_mkdir, {BAD, 0700}},
      {"rmdir", SYS_rmdir, {BAD}},
      {"unlink", SYS_unlink, {BAD}},
      {"rename from", SYS_rename, {BAD, (long)"other"}},
      {"rename to", SYS_rename, {(long)"file", BAD}},
      {"link", SYS_link, {(long)"file", BAD}},
      {"symlink", SYS_symlink, {BAD, (long)"none/link"}},
      {"symlink at", SYS_symlink, {(long)"file", BAD}},
      {"readlink", SYS_readlink, {(long)"/proc/self/exe", BAD, 100}},
      {"chmod", SYS_chmod, {BAD, 0600}},
      {"chown", SYS_chown, {BAD, -1, -1}},
      {"truncate", SYS_truncate, {BAD, 5}},
      {"mknod", SYS_mknod, {BAD, 0100600, 0}},
      {"utimensat", SYS_utimensat, {at, (long)"none", BAD, 0}},
      {"getxattr", SYS_getxattr, {BAD, (long)"user.x", (long)room, 10}},
      {"getxattr's name", SYS_getxattr, {(long)"file", BAD, (long)room, 10}},
      {"getcwd", SYS_getcwd, {BAD, 4096}},
      {"statfs", SYS_statfs, {BAD, (long)room}},
      {"statfs's result", SYS_statfs, {(long)".", BAD}},
      {"execve", SYS_execve, {BAD, 0, 0}},
      {"getdents64", SYS_getdents64, {directory, BAD, 1000}},
      // Open files.
      {"read a pipe", SYS_read, {pipe_end[0], BAD, 8}},
      {"pread", SYS_pread64, {file, BAD, 1, 0}},
      {"write a pipe", SYS_write, {pipe_end[1], BAD, 8}},
      {"pwrite", SYS_pwrite64, {file, BAD, 1, 100}},
      {"readv", SYS_readv, {file, BAD, 1}},
      {"writev", SYS_writev, {pipe_end[1], BAD, 1}},
      {"pipe2", SYS_pipe2, {BAD, 0}},
      {"fcntl F_GETLK", SYS_fcntl, {file, F_GETLK, BAD}},
      {"ioctl FIONREAD", SYS_ioctl, {pipe_end[0], FIONREAD, BAD}},
      {"ioctl FIONBIO", SYS_ioctl, {pipe_end[0], FIONBIO, BAD}},
      {"sendfile's offset", SYS_sendfile, {null_fd, file, BAD, 1}},
      {"poll", SYS_poll, {BAD, 1, 0}},
      {"ppoll's time", SYS_ppoll, {0, 0, BAD, 0}},
      {"select", SYS_select, {4, BAD, 0, 0, (long)room}},
      {"epoll_ctl", SYS_epoll_ctl, {epoll, EPOLL_CTL_ADD, pipe_end[0], BAD}},
      {"timerfd_settime", SYS_timerfd_settime, {timer_fd, 0, BAD, 0}},
      {"timerfd_gettime", SYS_timerfd_gettime, {timer_fd, BAD}},
      {"signalfd4", SYS_signalfd4, {-1, BAD, 4, 0}},
      {"memfd_create", SYS_memfd_create, {BAD, 0}},
      // Sockets.
      {"socketpair", SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, BAD}},
      {"bind", SYS_bind, {socket_fd, BAD, sizeof(struct sockaddr_un)}},
      {"connect", SYS_connect, {socket_fd, BAD, sizeof(struct sockaddr_un)}},
      {"getsockname", SYS_getsockname, {socket_fd, (long)room, BAD}},
      {"getsockopt", SYS_getsockopt, {socket_fd, SOL_SOCKET, SO_TYPE, BAD, (long)room}},
      {"setsockopt", SYS_setsockopt, {socket_fd, SOL_SOCKET, SO_RCVBUF, BAD, 4}},
      {"sendto", SYS_sendto, {pair[0], BAD, 8, 0, 0, 0}},
      {"recvfrom", SYS_recvfrom, {pair[1], BAD, 8, MSG_DONTWAIT, 0, 0}},
      {"sendmsg", SYS_sendmsg, {pair[0], BAD, 0}},
      {"recvmsg", SYS_recvmsg, {pair[1], BAD, MSG_DONTWAIT}},
      // Signals and time.
      {"rt_sigaction", SYS_rt_sigaction, {SIGUSR1, BAD, 0, 8}},
      {"rt_sigaction's old", SYS_rt_sigaction, {SIGUSR1, 0, BAD, 8}},
      {"rt_sigprocmask", SYS_rt_sigprocmask, {SIG_BLOCK, BAD, 0, 8}},
      {"rt_sigprocmask's old", SYS_rt_sigprocmask, {SIG_BLOCK, 0, BAD, 8}},
      {"rt_sigpending", SYS_rt_sigpending, {BAD, 8}},
      {"rt_sigtimedwait", SYS_rt_sigtimedwait, {BAD, 0, (long)&soon, 8}},
      {"sigaltstack's old", SYS_sigaltstack, {0, BAD}},
      {"nanosleep", SYS_nanosleep, {BAD, 0}},
      {"clock_nanosleep", SYS_clock_nanosleep, {CLOCK_MONOTONIC, 0, BAD, 0}},
      {"clock_gettime", SYS_clock_gettime, {CLOCK_MONOTONIC, BAD}},
      {"clock_getres", SYS_clock_getres, {CLOCK_MONOTONIC, BAD}},
      {"gettimeofday", SYS_gettimeofday, {BAD, 0}},
      {"time", SYS_time, {BAD}},
      {"times", SYS_times, {BAD}},
      {"getitimer", SYS_getitimer, {ITIMER_REAL, BAD}},
      {"setitimer", SYS_setitimer, {ITIMER_REAL, BAD, 0}},
      {"timer_create", SYS_timer_create, {CLOCK_MONOTONIC, 0, BAD}},
      // Processes.
      {"wait4", SYS_wait4, {-1, BAD, WNOHANG, 0}},
      {"uname", SYS_uname, {BAD}},
      {"sysinfo", SYS_sysinfo, {BAD}},
      {"getrusage", SYS_getrusage, {RUSAGE_SELF, BAD}},
      {"getrlimit", SYS_getrlimit, {RLIMIT_CORE, BAD}},
      {"setrlimit", SYS_setrlimit, {RLIMIT_CORE, BAD}},
      {"prlimit64's old", SYS_prlimit64, {0, RLIMIT_CORE, 0, BAD}},
      {"getresuid", SYS_getresuid, {BAD, (long)room, (long)room}},
      {"getrandom", SYS_getrandom, {BAD, 1, 0}},
      {"sched_getaffinity", SYS_sched_getaffinity, {0, 128, BAD}},
      {"sched_getparam", SYS_sched_getparam, {0, BAD}},
      {"prctl PR_SET_NAME", SYS_prctl, {PR_SET_NAME, BAD}},
      {"prctl PR_GET_NAME", SYS_prctl, {PR_GET_NAME, BAD}},
      {"futex wait", SYS_futex, {BAD, FUTEX_WAIT_PRIVATE, 7, (long)&soon}},
      {"futex's time", SYS_futex, {(long)room, FUTEX_WAIT_PRIVATE, 0, BAD}},
      {"getcpu", SYS_getcpu, {BAD, 0}},
      {"mincore", SYS_mincore, {(long)room & -4096, 4096, BAD}},
  };
  try_all(list, sizeof list / sizeof *list, kind, pointer);
}

int main(void) {
  prepare();
  NEED(write(pipe_end[1], "waiting bytes", 13));
  char* pages = mmap(0, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return 99;
  edge = pages + 4095;
  NEED(munmap(pages + 4096, 4096));
  NEED(mprotect(pages + 8192, 4096, PROT_READ));
  try_kind("at 1", 1);
  try_kind("unmapped", (long)(pages + 4096));
  try_kind("at an end", (long)edge);
  try_kind("read-only", (long)(pages + 8192));
  try_kind("no address", 0x800000000000);
  try_kind("the kernel's", -0x7fffffff000);
  try_kind("the last", -8);
  struct iovec parts[] = {{room, 4}, {pages + 4096, 4}};
  TRY(readv(file, parts, 2));
  TRY(pwritev(null_fd, parts, 2, 0));
  TRY(read(pipe_end[0], room, 100));
  TRY(syscall(SYS_execve, "/bin/true", pages + 4096, 0));
  return 0;
}
