//: about: C: clone3 of processes with a pid of one's choice, into a control group, with a pidfd, as fork and as vfork
#include "try.h"
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static int pidfd, of_process = 1;

static struct clone_args plain(void) {
  pidfd = -1;
  return (struct clone_args){.flags = CLONE_PIDFD, .pidfd = (uint64_t)&pidfd, .exit_signal = SIGCHLD};
}

// The child's answer is its status: 1, it has the pid that was wanted; 2, if that was not asked.
static void make(const char *what, struct clone_args *args, pid_t wanted) {
  siginfo_t info = {0};
  fflush(stdout);
  const pid_t child = (pid_t)syscall(SYS_clone3, args, sizeof *args);
  if (child == 0) {
    ++of_process;  // CLONE_VFORK alone shares no memory
    _exit(wanted == 0 ? 2 : getpid() == wanted);
  }
  if (child < 0) {
    printf("%s: %s\n", what, strerrorname_np(errno));
    return;
  }
  struct pollfd waits = {.fd = pidfd, .events = POLLIN};
  NEED(poll(&waits, 1, 20000));
  NEED(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED));
  printf("%s: %d, pidfd %d %x, status %d\n", what, info.si_pid == child, fcntl(pidfd, F_GETFD), (unsigned)waits.revents,
         info.si_status);
  close(pidfd);
}

static pid_t highest_pid(void) {
  int highest = 0;
  FILE *file = fopen("/proc/sys/kernel/pid_max", "r");
  if (file == NULL || fscanf(file, "%d", &highest) != 1) exit(1);
  fclose(file);
  return highest - 1;
}

static void with_pid(void) {
  pid_t wanted[33] = {highest_pid() - getpid() % 4000};
  struct clone_args args = plain();
  args.set_tid = (uint64_t)wanted, args.set_tid_size = 1;
  make("pid", &args, wanted[0]);
  args.flags |= CLONE_VFORK;
  make("pid of a vfork", &args, wanted[0]);
  wanted[0] = getpid();
  make("taken pid", &args, wanted[0]);
  args.set_tid_size = 33;
  make("too many", &args, wanted[0]);
  args.set_tid_size = 0;
  make("none", &args, wanted[0]);
  args.set_tid = (uint64_t)mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), args.set_tid_size = 1;
  make("not to be read", &args, wanted[0]);
}

static void into_group(const char *path) {
  struct clone_args args = plain();
  args.flags |= CLONE_INTO_CGROUP;
  args.cgroup = (uint64_t)open(path, O_PATH | O_DIRECTORY);
  if ((int)args.cgroup == -1) printf("%s: %s\n", path, strerrorname_np(errno));
  make(path, &args, 0);
  args.flags |= CLONE_VFORK;
  make(path, &args, 0);
  TRY(syscall(SYS_clone3, &args, CLONE_ARGS_SIZE_VER1));
}

static void without_place(void) {
  const int next = dup(1);
  close(next);
  TRY(syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, NULL, 0, 0));
  const int after = dup(1);
  printf("fds left: %d\n", after - next);
  close(after);
}

int main(void) {
  struct clone_args args = plain();
  make("plain", &args, 0);
  args.flags |= CLONE_VFORK;
  make("vfork", &args, 0);
  without_place();
  with_pid();
  into_group("/sys/fs/cgroup");
  into_group("/tmp");
  into_group("/no/such/group");
  printf("not shared: %d\n", of_process);
  return 0;
}
