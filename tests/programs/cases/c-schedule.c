//: about: C: threads' scheduling: nice values, policies and priorities of each thread, what may be asked for, who runs first
//: link: both
#include "try.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

struct attr {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};

static id_t own(void) { return (id_t)syscall(SYS_gettid); }
static pthread_barrier_t all;

static void tell(const char *who) {
  struct attr now = {0};
  NEED(syscall(SYS_sched_getattr, 0, &now, sizeof now, 0));
  printf("%s: nice %d policy %u priority %u resets %d; %d %d\n", who, now.nice, now.policy, now.priority,
         (int)(now.flags & 1), getpriority(PRIO_PROCESS, 0), sched_getscheduler(0));
}

static void *nicer(void *arg) {
  TRY(setpriority(PRIO_PROCESS, own(), 7));
  tell("nicer");
  *(id_t *)arg = own();
  pthread_barrier_wait(&all);
  pthread_barrier_wait(&all);
  return NULL;
}

static void each_its_own(void) {
  id_t other = 0;
  pthread_t thread;
  pthread_barrier_init(&all, NULL, 2);
  pthread_create(&thread, NULL, nicer, &other);
  pthread_barrier_wait(&all);
  tell("first");
  printf("the other's nice %d\n", getpriority(PRIO_PROCESS, other));
  TRY(setpriority(PRIO_PROCESS, other, 9));
  printf("and then %d\n", getpriority(PRIO_PROCESS, other));
  struct sched_param none = {0}, some = {.sched_priority = 5}, many = {.sched_priority = 100};
  TRY(sched_setscheduler((pid_t)other, SCHED_BATCH, &none));
  TRY(sched_setscheduler((pid_t)other, SCHED_BATCH, &some));
  TRY(sched_setscheduler((pid_t)other, SCHED_FIFO, &many));
  TRY(sched_setscheduler((pid_t)other, SCHED_FIFO, &none));
  TRY(sched_setscheduler((pid_t)other, 77, &none));
  TRY(sched_setscheduler((pid_t)other, SCHED_FIFO, &some));
  TRY(sched_setscheduler((pid_t)other, SCHED_IDLE, &none));
  printf("idle %d\n", sched_getscheduler((pid_t)other) == SCHED_IDLE);
  pthread_barrier_wait(&all);
  pthread_join(thread, NULL);
  tell("first again");
}

static void *tell_new(void *arg) {
  tell(arg);
  return NULL;
}

static void inherited(void) {
  pthread_t thread;
  TRY(setpriority(PRIO_PROCESS, 0, 3));
  pthread_create(&thread, NULL, tell_new, "new thread");
  pthread_join(thread, NULL);
  pid_t pid = split();
  if (pid == 0) {
    tell("child");
    leave(0);
  }
  show_end("child", pid);
}

static void pin(void) {
  cpu_set_t set;
  NEED(sched_getaffinity(0, sizeof set, &set));
  int first = 0;
  while (!CPU_ISSET(first, &set)) first++;
  CPU_ZERO(&set);
  CPU_SET(first, &set);
  NEED(sched_setaffinity(0, sizeof set, &set));
}

static atomic_int place;
static int came[3];
struct wanted {
  int policy, priority;
};

static void *take_place(void *arg) {
  const struct wanted *wanted = arg;
  struct sched_param param = {.sched_priority = wanted->priority};
  if (pthread_setschedparam(pthread_self(), wanted->policy, &param) != 0) puts("not set");
  pthread_barrier_wait(&all);
  came[atomic_fetch_add(&place, 1)] = wanted->priority;
  for (volatile long i = 0; i < 10000000; i++) {
  }
  return NULL;
}

// All on one processor.
static void higher_first(void) {
  const struct wanted wanted[] = {{SCHED_OTHER, 0}, {SCHED_FIFO, 10}, {SCHED_RR, 20}};
  struct sched_param top = {.sched_priority = 50}, none = {0};
  pthread_t threads[3];
  pthread_barrier_init(&all, NULL, 4);
  NEED(sched_setscheduler(0, SCHED_FIFO, &top));
  for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, take_place, (void *)&wanted[i]);
  pthread_barrier_wait(&all);
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  printf("came %d %d %d\n", came[0], came[1], came[2]);
  NEED(sched_setscheduler(0, SCHED_OTHER, &none));
}

static atomic_int over;
static void *compute(void *arg) {
  struct timespec used;
  if (arg != NULL) NEED(setpriority(PRIO_PROCESS, own(), 15));
  while (!over) {
  }
  NEED(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used));
  return (void *)(used.tv_sec * 1000 + used.tv_nsec / 1000000);
}

static void nice_gets_less(void) {
  pthread_t threads[2];
  void *ms[2];
  for (long i = 0; i < 2; i++) pthread_create(&threads[i], NULL, compute, (void *)i);
  usleep(1000000);
  over = 1;
  for (int i = 0; i < 2; i++) pthread_join(threads[i], &ms[i]);
  if ((long)ms[0] < 2 * (long)ms[1]) printf("%ld and %ld ms\n", (long)ms[0], (long)ms[1]);
}

int main(void) {
  tell("at first");
  each_its_own();
  inherited();
  pin();
  if (geteuid() != 0) return 0;  // the rest is not for everybody
  higher_first();
  nice_gets_less();
  return 0;
}
