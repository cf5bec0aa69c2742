//: about: C: seccomp by the program itself: strict mode, filters, their results, inheritance, threads, and what is refused
//: link: both
#include "try.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#define STEP(...) ((struct sock_filter)__VA_ARGS__)
#define LOAD(field) STEP(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field)))
#define RETURN(what) STEP(BPF_STMT(BPF_RET | BPF_K, what))
#define SKIP_UNLESS(value) STEP(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1))

static long seccomp(unsigned operation, unsigned flags, void *args) {
  return syscall(SYS_seccomp, operation, flags, args);
}

// One call has another answer than all others.
static long install(int nr, unsigned answer, unsigned flags) {
  struct sock_filter steps[] = {LOAD(nr), SKIP_UNLESS(nr), RETURN(answer), RETURN(SECCOMP_RET_ALLOW)};
  struct sock_fprog program = {4, steps};
  return seccomp(SECCOMP_SET_MODE_FILTER, flags, &program);
}

static void confine(int nr, unsigned answer) {
  NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  NEED(install(nr, answer, 0));
}

static void show_status(void) {
  char line[256];
  FILE *status = fopen("/proc/self/status", "r");
  while (fgets(line, sizeof line, status))
    if (!strncmp(line, "Seccomp", 7)) printf("%s", line);
  fclose(status);
}

static volatile int trapped, trap_errno, trap_call, trap_code, trap_here;
static volatile unsigned trap_arch;

static void on_trap(int signo, siginfo_t *info, void *context) {
  (void)signo;
  (void)context;
  trapped++;
  trap_errno = info->si_errno, trap_call = info->si_syscall, trap_arch = info->si_arch, trap_code = info->si_code;
  trap_here = info->si_call_addr != NULL;
}

static void strictly(void) {
  pid_t pid = split();
  if (pid == 0) {
    NEED(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
    if (write(1, "strict: written\n", 16) == 16) syscall(SYS_exit, 7);
  }
  show_end("strict, exit", pid);
  if ((pid = split()) == 0) {
    NEED(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
    syscall(SYS_getpid);
    syscall(SYS_exit, 8);
  }
  show_end("strict, getpid", pid);
}

static void answers(void) {
  pid_t pid = split();
  if (pid == 0) {
    confine(SYS_getppid, SECCOMP_RET_ERRNO | ENOTUNIQ);
    for (int i = 0; i < 3; i++) TRY(syscall(SYS_getppid));
    confine(SYS_getppid, SECCOMP_RET_ERRNO | 9999);
    printf("beyond all: %ld %d\n", syscall(SYS_getppid), errno);
    confine(SYS_getuid, SECCOMP_RET_TRACE);
    TRY(syscall(SYS_getuid));
    confine(SYS_getgid, SECCOMP_RET_LOG);
    OK(syscall(SYS_getgid));
    TRY(prctl(PR_GET_SECCOMP));
    show_status();
    confine(999, SECCOMP_RET_ERRNO | EDOM);
    TRY(syscall(999));
    leave(0);
  }
  show_end("answers", pid);
  if ((pid = split()) == 0) {
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    NEED(sigaction(SIGSYS, &action, NULL));
    confine(SYS_getppid, SECCOMP_RET_TRAP | 77);
    printf("trap: rax %ld\n", syscall(SYS_getppid));
    printf("trapped %d errno %d call %d arch %x code %d address %d\n", trapped, trap_errno, trap_call, trap_arch,
           trap_code, trap_here);
    action = (struct sigaction){.sa_handler = SIG_IGN};
    NEED(sigaction(SIGSYS, &action, NULL));
    fflush(stdout);
    syscall(SYS_getppid);
    leave(1);
  }
  show_end("trap, ignored", pid);
  const unsigned deadly[] = {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, 0x12340000};
  for (int i = 0; i < 3; i++) {
    if ((pid = split()) == 0) {
      confine(SYS_getppid, deadly[i]);
      syscall(SYS_getppid);
      leave(1);
    }
    show_end("deadly", pid);
  }
}

// Clocks are read without a call.
static void clocks(void) {
  pid_t pid = split();
  if (pid == 0) {
    struct timespec now;
    confine(SYS_clock_gettime, SECCOMP_RET_KILL_PROCESS);
    for (int i = 0; i < 3; i++) TRY(clock_gettime(CLOCK_MONOTONIC, &now));
    fflush(stdout);
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    leave(1);
  }
  show_end("clock by a call", pid);
}

static void *call_parent(void *unused) {
  syscall(SYS_getppid);
  return unused;
}

static int confined[2], go_on[2];

static void *wait_and_call(void *unused) {
  char byte = 0;
  NEED(read(go_on[0], &byte, 1));
  (void)unused;
  return (void *)(syscall(SYS_getppid) == -1 ? (long)errno : 0L);
}

static void *confine_alone(void *unused) {
  char byte = 0;
  confine(SYS_getuid, SECCOMP_RET_ERRNO | EDOM);
  NEED(write(confined[1], "x", 1));
  NEED(read(go_on[0], &byte, 1));
  return unused;
}

static void threads(void) {
  pthread_t thread;  // the last one is left to the process's end
  void *result = NULL;
  pid_t pid = split();
  if (pid == 0) {
    confine(SYS_getppid, SECCOMP_RET_KILL_THREAD);
    pthread_create(&thread, NULL, call_parent, NULL);
    usleep(100000);
    printf("the other thread is gone, this one goes on\n");
    leave(3);
  }
  show_end("a thread is killed", pid);
  if ((pid = split()) == 0) {
    NEED(pipe(go_on));
    pthread_create(&thread, NULL, wait_and_call, NULL);
    NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    TRY(install(SYS_getppid, SECCOMP_RET_ERRNO | EDOM, SECCOMP_FILTER_FLAG_TSYNC));
    NEED(write(go_on[1], "x", 1));
    pthread_join(thread, &result);
    printf("in the other thread %ld\n", (long)result);
    leave(0);
  }
  show_end("for all threads", pid);
  if ((pid = split()) == 0) {
    char byte = 0;
    NEED(pipe(confined));
    NEED(pipe(go_on));
    pthread_create(&thread, NULL, confine_alone, NULL);
    NEED(read(confined[0], &byte, 1));
    NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    printf("one has its own: %d\n", install(SYS_getppid, SECCOMP_RET_ALLOW, SECCOMP_FILTER_FLAG_TSYNC) > 0);
    TRY(install(SYS_getppid, SECCOMP_RET_ALLOW, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH));
    TRY(prctl(PR_GET_SECCOMP));
    leave(0);
  }
  show_end("not for all threads", pid);
}

static void inheritance(char *self) {
  pid_t pid = split();
  if (pid == 0) {
    confine(SYS_getppid, SECCOMP_RET_ERRNO | EDOM);
    pid_t child = split();
    if (child == 0) {
      TRY(syscall(SYS_getppid));
      leave(0);
    }
    show_end("child", child);
    fflush(stdout);
    execl(self, self, "executed", NULL);
  }
  show_end("parent", pid);
}

static void refusals(void) {
  struct sock_filter good[] = {RETURN(SECCOMP_RET_ALLOW)};
  struct sock_filter jumps[] = {BPF_JUMP(BPF_JMP | BPF_JA, 5, 0, 0), RETURN(0)};
  struct sock_filter reads[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RETURN(0)};
  struct sock_filter unending[] = {LOAD(nr)};
  struct sock_fprog program = {1, good}, empty = {0, good}, nowhere = {1, NULL};
  struct sock_fprog bad[] = {{2, jumps}, {2, reads}, {1, unending}};
  unsigned action = SECCOMP_RET_LOG;
  TRY(seccomp(99, 0, NULL));
  TRY(seccomp(SECCOMP_SET_MODE_STRICT, 1, NULL));
  TRY(seccomp(SECCOMP_SET_MODE_STRICT, 0, &action));
  TRY(seccomp(SECCOMP_SET_MODE_FILTER, 0, NULL));
  TRY(seccomp(SECCOMP_SET_MODE_FILTER, 1u << 30, &program));
  TRY(seccomp(SECCOMP_SET_MODE_FILTER, 0, &empty));
  TRY(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action));
  action = 0x12340000;
  TRY(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action));
  TRY(seccomp(SECCOMP_GET_ACTION_AVAIL, 1, &action));
  TRY(prctl(PR_SET_SECCOMP, 77));
  TRY(prctl(PR_GET_SECCOMP));
  pid_t pid = split();
  if (pid == 0) {  // a plain user needs no_new_privs
    TRY(seccomp(SECCOMP_SET_MODE_FILTER, 0, &program));
    leave(0);
  }
  show_end("with old rights", pid);
  NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  TRY(seccomp(SECCOMP_SET_MODE_FILTER, 0, &nowhere));
  for (int i = 0; i < 3; i++) TRY(seccomp(SECCOMP_SET_MODE_FILTER, 0, &bad[i]));
  TRY(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
  TRY(prctl(PR_GET_SECCOMP));
  TRY(seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL));
}

int main(int argc, char **argv) {
  if (argc > 1) {
    TRY(syscall(SYS_getppid));
    TRY(prctl(PR_GET_SECCOMP));
    return 0;
  }
  strictly();
  answers();
  clocks();
  threads();
  inheritance(argv[0]);
  refusals();
  return 0;
}
