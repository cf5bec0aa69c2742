//: about: C: signals that are blocked and ignored, the last real-time ones, frames that cannot be written; sticky timeouts, clone3 of the future, setpgid after execve
//: link: both
#include "try.h"
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>

static void blocked_and_ignored(void) {
  sigset_t set, pending;
  siginfo_t info = {0};
  struct timespec second = {5, 0}, none = {0, 0};
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  signal(SIGUSR1, SIG_IGN);
  NEED(sigprocmask(SIG_BLOCK, &set, NULL));
  pid_t pid = split();
  if (pid == 0) {
    kill(getppid(), SIGUSR1);
    leave(0);
  }
  TRY(sigtimedwait(&set, &info, &second));
  printf("from the child %d\n", info.si_pid == pid);
  show_end("child", pid);
  if ((pid = split()) == 0) {
    kill(getppid(), SIGUSR1);
    leave(0);
  }
  show_end("child", pid);
  sigpending(&pending);
  printf("pending %d\n", sigismember(&pending, SIGUSR1));
  NEED(sigprocmask(SIG_UNBLOCK, &set, NULL));
  NEED(sigprocmask(SIG_BLOCK, &set, NULL));
  TRY(sigtimedwait(&set, &info, &none));
  NEED(sigprocmask(SIG_UNBLOCK, &set, NULL));
  signal(SIGUSR1, SIG_DFL);
}

// To and fro: a wanted signal that comes between a look and the wait is not lost.
static void in_turns(void) {
  sigset_t set;
  siginfo_t info = {0};
  struct timespec long_time = {20, 0};
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  NEED(sigprocmask(SIG_BLOCK, &set, NULL));
  pid_t parent = getpid(), pid = split(), other = pid == 0 ? parent : pid;
  int turns = 0;
  if (pid != 0) NEED(kill(other, SIGUSR2));
  while (turns < 1000 && sigtimedwait(&set, &info, &long_time) == SIGUSR2) {
    turns++;
    kill(other, SIGUSR2);
  }
  if (pid == 0) leave(turns == 1000 ? 0 : 1);
  printf("turns %d\n", turns);
  show_end("partner", pid);
  while (sigtimedwait(&set, &info, &(struct timespec){0, 0}) > 0) {
  }
  NEED(sigprocmask(SIG_UNBLOCK, &set, NULL));
}

static volatile int caught[65];

static void note(int signo) { caught[signo]++; }

// From another process, each as often as it is sent.
static void last_signals(void) {
  sigset_t all, before;
  sigfillset(&all);
  NEED(sigprocmask(SIG_BLOCK, &all, &before));
  for (int signo = 58; signo <= 64; signo++) {
    struct sigaction action = {.sa_handler = note};
    NEED(sigaction(signo, &action, NULL));
  }
  pid_t pid = split();
  if (pid == 0) {
    for (int i = 0; i < 3; i++)
      for (int signo = 58; signo <= 64; signo++) NEED(sigqueue(getppid(), signo, (union sigval){.sival_int = i}));
    leave(0);
  }
  show_end("sender", pid);
  NEED(sigprocmask(SIG_SETMASK, &before, NULL));
  for (int signo = 58; signo <= 64; signo++) printf("%d:%d ", signo, caught[signo]);
  printf("\n");
}

static volatile int faults;
static void *stack;

static void on_fault(int signo) {
  (void)signo;
  faults++;
  mprotect(stack, 65536, PROT_READ | PROT_WRITE);
}

// The handler's stack cannot be written: that is a fault of its own.
static void unwritable_stack(void) {
  stack = mmap(NULL, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  stack_t alternate = {.ss_sp = stack, .ss_size = 65536};
  struct sigaction fault = {.sa_handler = on_fault}, other = {.sa_handler = note, .sa_flags = SA_ONSTACK};
  NEED(sigaltstack(&alternate, NULL));
  NEED(sigaction(SIGSEGV, &fault, NULL));
  NEED(sigaction(SIGUSR2, &other, NULL));
  raise(SIGUSR2);
  printf("faults %d, then caught %d", faults, caught[SIGUSR2]);
  raise(SIGUSR2);
  printf(" and %d\n", caught[SIGUSR2]);
  pid_t pid = split();
  if (pid == 0) {
    fault.sa_flags = SA_ONSTACK;
    NEED(sigaction(SIGSEGV, &fault, NULL));
    mprotect(stack, 65536, PROT_NONE);
    raise(SIGUSR2);
    leave(1);
  }
  show_end("no stack for either", pid);
}

static void sticky_timeouts(void) {
  struct timeval left = {0, 20000};
  struct timespec rest = {0, 20000000};
  TRY(select(0, NULL, NULL, NULL, &left));
  printf("left %ld\n", (long)left.tv_usec);
  NEED(personality(PER_LINUX | STICKY_TIMEOUTS));
  left.tv_usec = 20000;
  TRY(select(0, NULL, NULL, NULL, &left));
  TRY(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &rest, NULL));
  NEED(personality(PER_LINUX));
  printf("left %ld %ld\n", (long)left.tv_usec, rest.tv_nsec);
}

static void clone_of_the_future(void) {
  struct {
    struct clone_args known;
    char rest[16];
  } args = {{.exit_signal = SIGCHLD}, ""};
  fflush(stdout);
  pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
  if (pid == 0) _exit(3);
  show_end("more that says nothing", pid);
  args.rest[15] = 1;
  TRY(syscall(SYS_clone3, &args, sizeof args));
  TRY(syscall(SYS_clone3, &args, 5000));
}

static void group_after_exec(char *self) {
  int ready[2], go[2];
  char byte = 0;
  NEED(pipe(ready));
  NEED(pipe(go));
  pid_t pid = split();
  if (pid == 0) {
    dup2(ready[1], 1);
    dup2(go[0], 0);
    execl(self, self, "executed", NULL);
  }
  pid_t other = split();
  if (other == 0) {
    NEED(read(go[0], &byte, 1));
    _exit(0);
  }
  NEED(read(ready[0], &byte, 1));
  TRY(setpgid(pid, 0));
  TRY(setpgid(pid, getpid()));
  TRY(setpgid(other, 0));
  NEED(write(go[1], "xx", 2));
  show_end("executed", pid);
  show_end("not executed", other);
}

// A child that has not run yet has not called execve(2), whatever its parent has.
static void group_at_once(void) {
  int moved = 0;
  fflush(stdout);
  for (int i = 0; i < 100; i++) {
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    if (setpgid(pid, 0) == 0) moved++;
    NEED(waitpid(pid, NULL, 0));
  }
  printf("moved %d\n", moved);
}

int main(int argc, char **argv) {
  if (argc > 1) {
    char byte = 'x';
    NEED(write(1, &byte, 1));
    NEED(read(0, &byte, 1));
    return 0;
  }
  blocked_and_ignored();
  in_turns();
  last_signals();
  unwritable_stack();
  sticky_timeouts();
  clone_of_the_future();
  group_after_exec(argv[0]);
  group_at_once();
  return 0;
}
