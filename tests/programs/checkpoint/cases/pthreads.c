//: about: C: 8 threads with mutex, condition and barrier; each checks its floating-point and vector state
//: libs: -lm
//: run: {exe} 3000
#define _GNU_SOURCE
#include <fenv.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 8 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static long turn, rounds, wrong, count;
static _Thread_local long mine;

// Keeps a value in all of ymm8 (zmm24 where there is one), mxcsr and the x87 stack over a stretch of work.
static double step(int n, long i) {
  double seed = n * 1000.0 + (double)i, kept[8], sum = 0;
  for (int j = 0; j < 8; j++) kept[j] = seed + j;
  static const int roundings[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
  fesetround(roundings[n % 4]);
  if (__builtin_cpu_supports("avx512f"))
    __asm__ volatile("vmovupd %0, %%zmm24" ::"m"(kept));
  else
    __asm__ volatile("movupd %0, %%xmm8" ::"m"(kept) : "xmm8");
  volatile long double product = 1;
  for (int j = 1; j < 6000; j++) {
    product *= 1 + 1.0L / (j * (n + 1));
    sum += sqrt(seed + j) / 3;
  }
  double found[8];
  memcpy(found, kept, sizeof found);
  if (__builtin_cpu_supports("avx512f")) __asm__ volatile("vmovupd %%zmm24, %0" : "=m"(found));
  if (memcmp(kept, found, sizeof kept) != 0 || fegetround() != roundings[n % 4]) __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
  return sum + (double)product;
}

static void *worker(void *arg) {
  int n = (int)(long)arg;
  double *sum = calloc(1, sizeof *sum);
  for (long i = 0; i < rounds; i++) {
    *sum += step(n, i);
    mine++;
    pthread_mutex_lock(&mutex);
    count++;
    while (turn % THREADS != n) pthread_cond_wait(&cond, &mutex);
    turn++;
    pthread_cond_broadcast(&cond);
    pthread_mutex_unlock(&mutex);
    if (i % 10 == 0) pthread_barrier_wait(&barrier);
    if (i % 50 == n) nanosleep(&(struct timespec){0, 5000000}, NULL);
  }
  if (mine != rounds) __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
  return sum;
}

int main(int argc, char **argv) {
  pthread_t threads[THREADS];
  rounds = argc > 1 ? atol(argv[1]) : 500;
  pthread_barrier_init(&barrier, NULL, THREADS);
  printf("begun\n");
  fflush(stdout);
  for (long i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, worker, (void *)i);
  for (int i = 0; i < THREADS; i++) {
    void *sum;
    pthread_join(threads[i], &sum);
    printf("%d %.17g\n", i, *(double *)sum);
  }
  printf("turns %ld, count %ld, wrong %ld\n", turn, count, wrong);
  return wrong != 0;
}
