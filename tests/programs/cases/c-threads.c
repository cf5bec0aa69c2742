//: about: C: pthreads with mutexes, conditions, barriers, rwlocks, semaphores, TLS, cancellation, robust mutexes
//: link: both
#include "try.h"
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <time.h>

enum { THREADS = 8, ROUNDS = 2000 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static sem_t sem;
static long count, turn, pair[2];
static int initialised;
static atomic_int wrong, destroyed, handled;
static _Thread_local long mine = 41;
static pthread_key_t key;

static void initialise(void) { initialised++; }
static void destroy(void *value) { destroyed += value != NULL; }

static void *worker(void *arg) {
  long n = (long)arg;
  pthread_once(&once, initialise);
  pthread_setspecific(key, arg + 1);
  for (int i = 0; i < ROUNDS; i++) {
    pthread_mutex_lock(&mutex);
    count += n;
    pthread_mutex_unlock(&mutex);
    mine++;
    errno = (int)n;
    if (i % 200 == 0) pthread_barrier_wait(&barrier);
    if (i % 16 == n) {
      pthread_rwlock_wrlock(&rwlock);
      pair[0]++;
      pair[1]++;
      pthread_rwlock_unlock(&rwlock);
    } else {
      pthread_rwlock_rdlock(&rwlock);
      if (pair[0] != pair[1]) wrong++;
      pthread_rwlock_unlock(&rwlock);
    }
    if (errno != n) wrong++;
  }
  if (mine != 41 + ROUNDS || pthread_getspecific(key) != arg + 1) wrong++;
  return (void *)mine;
}

static void *in_turn(void *arg) {
  long n = (long)arg;
  for (int i = 0; i < 300; i++) {
    pthread_mutex_lock(&mutex);
    while (turn % THREADS != n) pthread_cond_wait(&cond, &mutex);
    turn++;
    pthread_cond_broadcast(&cond);
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}

static void all(void *(*body)(void *)) {
  pthread_t threads[THREADS];
  for (long i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, body, (void *)i);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

static struct timespec soon(long ms) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  t.tv_nsec += ms * 1000000;
  return (struct timespec){t.tv_sec + t.tv_nsec / 1000000000, t.tv_nsec % 1000000000};
}

static void cleanup(void *arg) { printf("cleanup %s\n", (char *)arg); }

static void *cancelled(void *arg) {
  pthread_cleanup_push(cleanup, arg);
  for (;;) pause();
  pthread_cleanup_pop(0);
  return NULL;
}

static void *cancelled_in_loop(void *arg) {
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
  sem_post(arg);
  for (volatile int on = 1; on;) {}
  return NULL;
}

static void cancellation(void) {
  pthread_t t;
  void *result;
  pthread_create(&t, NULL, cancelled, "in pause");
  pthread_cancel(t);
  pthread_join(t, &result);
  printf("cancelled %d\n", result == PTHREAD_CANCELED);
  pthread_create(&t, NULL, cancelled_in_loop, &sem);
  sem_wait(&sem);
  pthread_cancel(t);
  pthread_join(t, &result);
  printf("cancelled in a loop %d\n", result == PTHREAD_CANCELED);
}

static void *dies_holding(void *arg) {
  pthread_mutex_lock(arg);
  return NULL;
}

static void kinds(void) {
  pthread_mutexattr_t attr;
  pthread_mutex_t m;
  pthread_t t;
  pthread_mutexattr_init(&attr);
  pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&m, &attr);
  pthread_create(&t, NULL, dies_holding, &m);
  pthread_join(t, NULL);
  TRY(pthread_mutex_lock(&m) == EOWNERDEAD);
  TRY(pthread_mutex_consistent(&m));
  TRY(pthread_mutex_unlock(&m));
  pthread_mutexattr_init(&attr);
  pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
  pthread_mutex_init(&m, &attr);
  TRY(pthread_mutex_lock(&m) + pthread_mutex_lock(&m) + pthread_mutex_unlock(&m) + pthread_mutex_unlock(&m));
  pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
  pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_NONE);
  pthread_mutex_init(&m, &attr);
  pthread_mutex_lock(&m);
  TRY(pthread_mutex_lock(&m) == EDEADLK);
}

static void timeouts(void) {
  struct timespec t = soon(10);
  pthread_mutex_lock(&mutex);
  TRY(pthread_cond_timedwait(&cond, &mutex, &t) == ETIMEDOUT);
  t = soon(10);
  TRY(pthread_mutex_timedlock(&mutex, &t) == ETIMEDOUT);
  TRY(pthread_mutex_trylock(&mutex) == EBUSY);
  pthread_mutex_unlock(&mutex);
  t = soon(10);
  TRY(sem_timedwait(&sem, &t));
  TRY(sem_trywait(&sem));
}

static void *waits_for_signal(void *arg) {
  sem_post(arg);
  while (!handled) usleep(1000);
  return (void *)pthread_self();
}

static void on_signal(int n) { handled += n == SIGUSR1; }

static void *short_lived(void *arg) { return arg; }

static void many(void) {
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, PTHREAD_STACK_MIN + 65536);
  long sum = 0;
  for (int round = 0; round < 5; round++) {
    pthread_t threads[100];
    for (long i = 0; i < 100; i++) NEED(pthread_create(&threads[i], &attr, short_lived, (void *)i) ? -1 : 0);
    for (int i = 0; i < 100; i++) {
      void *result;
      pthread_join(threads[i], &result);
      sum += (long)result;
    }
  }
  printf("500 threads %ld\n", sum);
}

static void *last(void *arg) {
  pthread_join(*(pthread_t *)arg, NULL);
  printf("the last thread\n");
  return NULL;
}

static atomic_int named;
static void *has_a_name(void *unused) {
  prctl(PR_SET_NAME, "of its own");
  named = 1;
  sem_wait(&sem);
  return unused;
}

// One thread names another.
static void names(void) {
  char name[16] = "";
  pthread_t thread;
  pthread_create(&thread, NULL, has_a_name, NULL);
  while (!named) usleep(100);
  TRY(pthread_getname_np(thread, name, sizeof name));
  printf("name %s\n", name);
  TRY(pthread_setname_np(thread, "given"));
  TRY(pthread_setname_np(thread, "much longer than it may be"));
  TRY(pthread_getname_np(thread, name, sizeof name));
  printf("name %s\n", name);
  sem_post(&sem);
  pthread_join(thread, NULL);
}

int main(void) {
  pthread_barrier_init(&barrier, NULL, THREADS);
  pthread_key_create(&key, destroy);
  sem_init(&sem, 0, 0);
  all(worker);
  printf("count %ld, pairs %ld, once %d, wrong %d, destroyed %d\n", count, pair[0], initialised, wrong, destroyed);
  all(in_turn);
  printf("turns %ld\n", turn);
  cancellation();
  kinds();
  timeouts();
  signal(SIGUSR1, on_signal);
  pthread_t t, self = pthread_self();
  pthread_create(&t, NULL, waits_for_signal, &sem);
  sem_wait(&sem);
  TRY(pthread_kill(t, SIGUSR1));
  TRY(pthread_join(t, NULL));
  many();
  names();
  pthread_create(&t, NULL, last, &self);
  fflush(stdout);
  pthread_exit(NULL);
}
