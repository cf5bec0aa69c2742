//: about: C: children that end or stop at the moment they are waited for, with a handler without SA_RESTART and beside a busy thread
//: link: both
#include "try.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

static atomic_int over;
static atomic_int handled;

static void count(int signo) {
  (void)signo;
  handled++;
}

static void *spin(void *unused) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, NULL);  // or the signals that others wait for come here
  while (!over) {}
  return unused;
}

// A child whose end comes a little sooner or later, so that it meets each step of the wait.
static pid_t child(int i) {
  pid_t pid = (pid_t)NEED(fork());
  if (pid == 0) {
    for (volatile int n = 0; n < i % 50 * 400; n++) {}
    _exit(i & 0x7f);
  }
  return pid;
}

static void by_waitpid(const char *name, int children) {
  int right = 0;
  for (int i = 0; i < children; i++) {
    pid_t pid = child(i);
    int status = 0;
    right += waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == (i & 0x7f);
  }
  printf("%s: %d of %d by waitpid\n", name, right, children);
}

static void by_waitid(const char *name, int children) {
  int right = 0;
  for (int i = 0; i < children; i++) {
    pid_t pid = child(i);
    siginfo_t info = {0};
    right += waitid(P_ALL, 0, &info, WEXITED) == 0 && info.si_pid == pid && info.si_status == (i & 0x7f);
  }
  printf("%s: %d of %d by waitid\n", name, right, children);
}

// The handler for a stop has come before waitpid(2) can look: never EINTR.
static void stopped(const char *name, int children) {
  int right = 0;
  for (int i = 0; i < children; i++) {
    int status = 0;
    pid_t pid = (pid_t)NEED(fork());
    if (pid == 0) {
      raise(SIGSTOP);
      _exit(3);
    }
    right += waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status);
    NEED(kill(pid, SIGKILL));  // SIGCONT would tell the parent as well
    right += waitpid(pid, &status, 0) == pid && WTERMSIG(status) == SIGKILL;
  }
  printf("%s: %d of %d\n", name, right, 2 * children);
}

static void by_sigwait(const char *name, int children) {
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGCHLD);
  NEED(-pthread_sigmask(SIG_BLOCK, &wanted, NULL));
  int right = 0;
  for (int i = 0; i < children; i++) {
    struct timespec limit = {10, 0};
    pid_t pid = child(i);
    right += sigtimedwait(&wanted, NULL, &limit) == SIGCHLD && waitpid(pid, NULL, 0) == pid;
  }
  NEED(-pthread_sigmask(SIG_UNBLOCK, &wanted, NULL));
  printf("%s: %d of %d by sigtimedwait\n", name, right, children);
}

int main(void) {
  by_waitpid("without a handler", 200);
  struct sigaction action = {.sa_handler = count};
  NEED(sigaction(SIGCHLD, &action, NULL));
  by_waitpid("with a handler", 200);
  by_waitid("with a handler", 200);
  stopped("stopped", 50);
  printf("handled at least %d\n", handled >= 450 ? 450 : handled);
  by_sigwait("alone", 200);
  signal(SIGCHLD, SIG_DFL);
  pthread_t spinner;
  NEED(-pthread_create(&spinner, NULL, spin, NULL));
  by_waitpid("beside a thread", 200);
  by_waitid("beside a thread", 200);
  NEED(signal(SIGCHLD, count) == SIG_ERR ? -1 : 0);
  by_sigwait("beside a thread", 200);
  over = 1;
  pthread_join(spinner, NULL);
  return 0;
}
