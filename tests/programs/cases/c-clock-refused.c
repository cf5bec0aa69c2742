//: about: C: a program that may not read the processor's clock: clocks go on, in threads and children too, and rdtsc is a fault
#include "try.h"
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <x86intrin.h>

static volatile int go_on;

// By the call: the vDSO's functions are the reader's own.
static void read_clock(const char *who) {
  struct timespec first, then;
  NEED(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &first));
  NEED(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &then));
  printf("%s: the clock goes on %d\n", who,
         then.tv_sec > first.tv_sec || (then.tv_sec == first.tv_sec && then.tv_nsec >= first.tv_nsec));
}

static void *wait_and_read(void *name) {
  const struct timespec pause = {0, 1000000};
  while (!go_on) continue;
  syscall(SYS_nanosleep, &pause, NULL);
  read_clock(name);
  return NULL;
}

int main(void) {
  int now = 0;
  pthread_t thread;
  TRY(prctl(PR_GET_TSC, &now));
  printf("now %d\n", now);
  TRY(prctl(PR_SET_TSC, 3));
  NEED(pthread_create(&thread, NULL, wait_and_read, "an older thread"));
  TRY(prctl(PR_SET_TSC, PR_TSC_SIGSEGV));
  read_clock("first");
  go_on = 1;
  pthread_join(thread, NULL);
  NEED(pthread_create(&thread, NULL, wait_and_read, "a younger thread"));
  pthread_join(thread, NULL);
  pid_t pid = split();
  if (pid == 0) {
    read_clock("child");
    fflush(stdout);
    leave(__rdtsc() == 0);
  }
  show_end("rdtsc", pid);
  TRY(prctl(PR_GET_TSC, &now));
  printf("now %d\n", now);
  return 0;
}
