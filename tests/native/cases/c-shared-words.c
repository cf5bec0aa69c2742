//: about: C: semaphores, mutexes and condition variables between processes, by name, in a file and in shared memory
#include "../../programs/cases/try.h"

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>

enum { PAGE = 4096, ROUNDS = 300 };

struct Shared {
  sem_t ping, pong;
  pthread_mutex_t mutex, robust;
  pthread_cond_t changed;
  int turn, sum;
};

static struct Shared* map_at(int fd, void* address) {
  void* m = mmap(address, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  NEED(m == MAP_FAILED ? -1 : 0);
  return m;
}

static void prepare(struct Shared* s) {
  sem_init(&s->ping, 1, 0);
  sem_init(&s->pong, 1, 0);
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&s->mutex, &attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&s->robust, &attributes);
  pthread_condattr_t condition;
  pthread_condattr_init(&condition);
  pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED);
  pthread_cond_init(&s->changed, &condition);
}

// The two sides have the words at different addresses.
static void between(struct Shared* here, int fd) {
  pid_t pid = split();
  if (pid == 0) {
    struct Shared* there = map_at(fd, NULL);
    for (int i = 0; i < ROUNDS; i++) {
      sem_wait(&there->ping);
      there->sum += i;
      sem_post(&there->pong);
    }
    pthread_mutex_lock(&there->mutex);
    for (int i = 0; i < ROUNDS; i++) {
      while (there->turn != 1) pthread_cond_wait(&there->changed, &there->mutex);
      there->turn = 0;
      pthread_cond_broadcast(&there->changed);
    }
    pthread_mutex_unlock(&there->mutex);
    pthread_mutex_lock(&there->robust);
    leave(there == here);
  }
  for (int i = 0; i < ROUNDS; i++) {
    sem_post(&here->ping);
    sem_wait(&here->pong);
  }
  printf("sum %d\n", here->sum);
  pthread_mutex_lock(&here->mutex);
  for (int i = 0; i < ROUNDS; i++) {
    here->turn = 1;
    pthread_cond_broadcast(&here->changed);
    while (here->turn != 0) pthread_cond_wait(&here->changed, &here->mutex);
  }
  pthread_mutex_unlock(&here->mutex);
  show_end("child", pid);
  TRY(pthread_mutex_lock(&here->robust) == EOWNERDEAD);
  TRY(pthread_mutex_consistent(&here->robust));
  TRY(pthread_mutex_unlock(&here->robust));
}

static void by_name(void) {
  char name[40];
  snprintf(name, sizeof name, "/osp-words.%d", getpid());
  sem_t* semaphore = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
  NEED(semaphore == SEM_FAILED ? -1 : 0);
  TRY(sem_open(name, O_CREAT | O_EXCL, 0600, 0) == SEM_FAILED ? errno : 0);
  pid_t pid = split();
  if (pid == 0) {
    sem_t* same = sem_open(name, 0);
    for (int i = 0; i < 3; i++) sem_wait(same);
    leave(sem_trywait(same) == -1 ? errno == EAGAIN : 2);
  }
  for (int i = 0; i < 3; i++) {
    usleep(2000);
    sem_post(semaphore);
  }
  show_end("named", pid);
  const struct timespec soon = {.tv_sec = 1};
  TRY(sem_timedwait(semaphore, &soon));
  TRY(sem_unlink(name));
}

static void both_in_one(void) {
  int* words = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutex_t* mutex = (pthread_mutex_t*)(words + 16);
  pthread_mutex_init(mutex, &attributes);
  for (int i = 0; i < 4; i++) {
    if (split() != 0) continue;
    for (int j = 0; j < 2000; j++) {
      pthread_mutex_lock(mutex);
      ++*words;
      if (j % 100 == 0) usleep(100);
      pthread_mutex_unlock(mutex);
    }
    leave(0);
  }
  while (wait(NULL) > 0) {
  }
  printf("counted %d\n", *words);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  const int fd = (int)NEED(open("words", O_RDWR | O_CREAT | O_TRUNC, 0600));
  NEED(ftruncate(fd, PAGE));
  struct Shared* here = map_at(fd, NULL);
  prepare(here);
  between(here, fd);
  by_name();
  both_in_one();
}
