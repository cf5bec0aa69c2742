//: about: C: clone with CLONE_THREAD by hand, futex operations, robust lists, arch_prctl, ids, /proc/self, limits, time
//: link: both
#include "try.h"
#include <dirent.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <time.h>

static atomic_int word, other, started, done;
static int parent_tid, child_tid = 1;
static const int thread_flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;

static long futex(atomic_int *at, int op, int value, const struct timespec *timeout, atomic_int *second, int third) {
  return syscall(SYS_futex, at, op, value, timeout, second, third);
}

static int waiter(void *arg) {
  started++;
  long n = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
  done += n == 0 ? 1 : 1000;
  (void)arg;
  syscall(SYS_exit, 0);
  return 0;
}

static void start(int (*body)(void *), int flags, void *arg) {
  size_t size = 65536;
  char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  NEED(clone(body, stack + size, thread_flags | flags, arg, &parent_tid, NULL, &child_tid));
}

// A thread without a TLS of its own: only raw system calls, nothing of libc's.
static void raw_threads(void) {
  start(waiter, CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID, NULL);
  start(waiter, 0, NULL);
  start(waiter, 0, NULL);
  while (started < 3) sched_yield();
  OK(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)2, &other, 0));
  int woken = 0;
  while (done < 3) {
    woken += (int)futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    woken += (int)futex(&other, FUTEX_WAKE_PRIVATE, 3, NULL, NULL, 0);
  }
  printf("woken %d done %d\n", woken, done);
  while (*(volatile int *)&child_tid) futex((atomic_int *)&child_tid, FUTEX_WAIT, parent_tid, NULL, NULL, 0);
  printf("cleared %d\n", child_tid);
}

static void futexes(void) {
  struct timespec soon = {0, 5000000}, past = {1, 0};
  TRY(futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0));
  TRY(futex(&word, FUTEX_WAIT, 0, &soon, NULL, 0));
  TRY(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &past, NULL, -1));
  TRY(futex(&word, FUTEX_WAIT_BITSET, 0, &past, NULL, 1));
  TRY(futex(&word, FUTEX_WAIT_BITSET, 0, &past, NULL, 0));
  TRY(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0));
  TRY(futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &other, FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 0)));
  TRY(futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &other, FUTEX_OP(FUTEX_OP_ADD, -2 & 0xfff, FUTEX_OP_CMP_GT, -1 & 0xfff)));
  printf("and then %d\n", other);
  TRY(futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &other, FUTEX_OP(FUTEX_OP_ADD, 1, 7, 0)));
  printf("other %d\n", other);
  TRY(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)1, &other, 7));
  TRY(futex(&word, 77, 0, NULL, NULL, 0));
  TRY(futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
  TRY(word == gettid());
  TRY(futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
  atomic_int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t pid = split();
  if (pid == 0) {
    while (*shared == 0) futex(shared, FUTEX_WAIT, 0, NULL, NULL, 0);
    leave(*shared);
  }
  *shared = 12;
  futex(shared, FUTEX_WAKE, 1, NULL, NULL, 0);
  show_end("shared futex", pid);
}

static int set_value(void *value) {
  *(int *)value = 2;
  return 6;
}

static void clones(void) {
  static int pid_fd, value = 1;
  fflush(stdout);
  long pid = syscall(SYS_clone, SIGCHLD | CLONE_PIDFD | CLONE_CHILD_SETTID, NULL, &pid_fd, &child_tid, 0);
  if (pid == 0) _exit(child_tid == getpid() ? 4 : 5);
  siginfo_t info;
  NEED(waitid(P_PIDFD, (id_t)pid_fd, &info, WEXITED));
  printf("pidfd %d\n", info.si_status);
  static char stack[65536] __attribute__((aligned(16)));
  pid = clone(set_value, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &value);
  show_end("vfork by clone", (pid_t)pid);
  printf("value %d\n", value);
  TRY(syscall(SYS_clone, CLONE_THREAD, NULL, NULL, NULL, 0));
  TRY(syscall(SYS_clone, CLONE_SIGHAND, NULL, NULL, NULL, 0));
  const long thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
  TRY(syscall(SYS_clone, thread | CLONE_SETTLS, stack + sizeof stack, NULL, NULL, 1ul << 63));
  TRY(syscall(SYS_clone, CLONE_SETTLS | SIGCHLD, NULL, NULL, NULL, 1ul << 63));
}

static void registers(void) {
  unsigned long fs = 0, again = 0;
  TRY(syscall(SYS_arch_prctl, 0x1003, &fs));
  TRY(syscall(SYS_arch_prctl, 0x1002, fs));
  TRY(syscall(SYS_arch_prctl, 0x1003, &again));
  TRY(fs == again && fs != 0);
  TRY(syscall(SYS_arch_prctl, 0x1002, 1ul << 63));
  TRY(syscall(SYS_arch_prctl, 0x9999, 0));
  long flags, direction;
  __asm__ volatile("stc; mov $39, %%eax; syscall; pushfq; pop %0" : "=r"(flags)::"rax", "rcx", "r11", "memory", "cc");
  __asm__ volatile("std; mov $39, %%eax; syscall; pushfq; pop %0; cld" : "=r"(direction)::"rax", "rcx", "r11", "memory", "cc");
  printf("carry kept %ld, direction kept %ld\n", flags & 1, direction >> 10 & 1);
}

static int lines_of(const char *path, const char *needle) {
  char line[5000];
  int found = 0;
  FILE *f = fopen(path, "r");
  while (f && fgets(line, sizeof line, f)) found += strstr(line, needle) != NULL;
  if (f) fclose(f);
  return found;
}

static void proc_self(void) {
  char path[4096], exe[4096] = "";
  TRY(readlink("/proc/self/exe", exe, sizeof exe - 1) > 0);
  printf("exe %s\n", strncmp(strrchr(exe, '/'), "/c-raw", 6) == 0 ? "right" : exe);
  printf("mapped %d, stack %d, heap %d, vdso %d\n", lines_of("/proc/self/maps", exe) > 1, lines_of("/proc/self/maps", "[stack]"),
         lines_of("/proc/self/maps", "[heap]"), lines_of("/proc/self/maps", "[vdso]"));
  printf("cmdline %d, comm %d, state %d, tgid %d\n", lines_of("/proc/self/cmdline", "c-raw"), lines_of("/proc/self/comm", "c-raw"),
         lines_of("/proc/self/status", "State:\tR"), lines_of("/proc/self/status", "Tgid:"));
  TRY(prctl(PR_SET_NAME, "renamed"));
  TRY(prctl(PR_GET_NAME, path));
  printf("%s %d %d\n", path, lines_of("/proc/self/comm", "renamed"), lines_of("/proc/self/status", "renamed"));
  NEED(chdir("/usr"));
  path[readlink("/proc/self/cwd", path, 100)] = 0;
  printf("cwd %s\n", path);
  path[readlink("/proc/self/root", path, 100)] = 0;
  printf("root %s\n", path);
  int fd = (int)NEED(open("/usr/bin/env", O_RDONLY)), count = 0;
  snprintf(path, 100, "/proc/self/fd/%d", fd);
  exe[readlink(path, exe, 100)] = 0;
  printf("fd %d %s\n", fd, exe);
  int again = (int)NEED(open(path, O_RDONLY));
  TRY(read(again, exe, 4) == 4 && memcmp(exe, "\177ELF", 4) == 0);
  snprintf(path, 100, "/proc/%d/fd", getpid());
  DIR *d = opendir(path);
  for (struct dirent *e; (e = readdir(d));) {
    if (e->d_name[0] != '.') printf("%s ", e->d_name);
    count++;
  }
  closedir(d);
  printf("(%d)\n", count);
  int p[2];
  NEED(pipe(p));
  snprintf(path, 100, "/proc/self/fd/%d", p[0]);
  exe[readlink(path, exe, 100)] = 0;
  printf("%.6s\n", exe);
  d = opendir("/proc/self/task");
  for (count = 0; readdir(d);) count++;
  printf("tasks %d\n", count - 2);
  printf("environ %d, mounts %d, limits %d, cpuinfo %d, meminfo %d\n", lines_of("/proc/self/environ", "HOME="),
         lines_of("/proc/self/mounts", " / ") > 0, lines_of("/proc/self/limits", "Max open files"),
         lines_of("/proc/cpuinfo", "processor") > 0, lines_of("/proc/meminfo", "MemTotal"));
  TRY(open("/proc/self/nothing", O_RDONLY));
  TRY(access("/proc/999999999", F_OK));
}

static void identity(void) {
  struct utsname name;
  struct rlimit limit;
  struct timespec a, b;
  NEED(uname(&name));
  printf("%s %s\n", name.sysname, name.machine);
  TRY(getuid() == getauxval(AT_UID) && geteuid() == getauxval(AT_EUID));
  TRY(getpid() == gettid() && getpgid(0) == getpgrp() && getsid(0) > 0);
  TRY(getpriority(PRIO_PROCESS, 0));
  TRY(setpriority(PRIO_PROCESS, 0, 5));
  TRY(getpriority(PRIO_PROCESS, 0));
  TRY(sched_getscheduler(0));
  cpu_set_t set;
  TRY(sched_getaffinity(0, sizeof set, &set));
  TRY(CPU_COUNT(&set) == sysconf(_SC_NPROCESSORS_ONLN));
  NEED(getrlimit(RLIMIT_STACK, &limit));
  printf("stack %lu\n", (unsigned long)limit.rlim_cur);
  char random[32] = {0}, zero[32] = {0};
  TRY(getrandom(random, 32, 0));
  TRY(memcmp(random, zero, 32) != 0);
  TRY(getrandom(random, 32, GRND_NONBLOCK));
  for (int clock = 0; clock < 8; clock++) {
    TRY(clock_gettime(clock, &a));
    TRY(clock_gettime(clock, &b));
    printf("%d ", b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec));
  }
  struct timeval t;
  TRY(gettimeofday(&t, NULL));
  TRY(labs(t.tv_sec - time(NULL)) <= 1);
  TRY(clock_getres(CLOCK_MONOTONIC, &a));
  printf("resolution %ld\n", a.tv_nsec);
  TRY(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  TRY(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  TRY(prctl(PR_GET_DUMPABLE));
  TRY(setpgid(999999999, 0));
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  raw_threads();
  futexes();
  clones();
  registers();
  proc_self();
  identity();
  syscall(SYS_exit_group, 300);
}
