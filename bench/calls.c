// Times one kind of system call, from inside the program: `bench-calls KIND COUNT` prints nanoseconds a call.
// The count goes through libc or through a `syscall` of its own, as the kind says.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int zero_fd, file_fd, pipe_fds[2];
static char buffer[65536];
static const char* stat_path = "/usr/bin/env";

static void getppid_libc(void) { getppid(); }
static void getppid_raw(void) { syscall(SYS_getppid); }
static void getpid_raw(void) { syscall(SYS_getpid); }
static void read_zero(void) { (void)!read(zero_fd, buffer, 1); }
static void read_zero_raw(void) { syscall(SYS_read, zero_fd, buffer, 1); }
static void pread_file(void) { (void)!pread(file_fd, buffer, 1, 0); }
static void pread_64k(void) { (void)!pread(file_fd, buffer, sizeof buffer, 0); }
static void write_null(void) { (void)!write(zero_fd, buffer, 1); }
static void stat_path_once(void) {
  struct stat s;
  stat(stat_path, &s);
}
static void open_close(void) { close(open(stat_path, O_RDONLY | O_CLOEXEC)); }
static void pipe_both(void) { (void)!(write(pipe_fds[1], buffer, 1) + read(pipe_fds[0], buffer, 1)); }
static void clock_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
}
static void map_unmap(void) {
  char* m = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  *m = 1;
  munmap(m, 65536);
}
static void on_signal(int n) { (void)n; }
static void raise_signal(void) { raise(SIGUSR1); }

static void fork_wait(void) {
  pid_t pid = fork();
  if (pid == 0) _exit(0);
  waitpid(pid, NULL, 0);
}
static void fork_exec_wait(void) {
  pid_t pid = fork();
  if (pid == 0) {
    execl("/bin/true", "true", NULL);
    _exit(127);
  }
  int status;
  waitpid(pid, &status, 0);
  if (status != 0) exit(3);
}
static void* nothing(void* arg) { return arg; }
static void thread_join(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, nothing, NULL);
  pthread_join(thread, NULL);
}

// One hand-over of a turn between two threads, by mutex and condition variable.
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int turn;
static void* other_side(void* arg) {
  pthread_mutex_lock(&mutex);
  for (;;) {
    while (turn == 0) pthread_cond_wait(&cond, &mutex);
    turn = 0;
    pthread_cond_signal(&cond);
  }
  return arg;
}
static void hand_over(void) {
  pthread_mutex_lock(&mutex);
  turn = 1;
  pthread_cond_signal(&cond);
  while (turn == 1) pthread_cond_wait(&cond, &mutex);
  pthread_mutex_unlock(&mutex);
}

// Another thread yields too: each call is a switch, where there is one processor.
static void* yields(void* arg) {
  for (;;) sched_yield();
  return arg;
}
static void yield_once(void) { sched_yield(); }

// A slice of work on each of two threads; a tenth of a second or so for both on two processors.
static void* compute(void* unused) {
  volatile unsigned sum = 0;
  for (unsigned i = 0; i < 20000000; i++) sum = sum * 31 + i;
  return unused;
}
static void compute_two(void) {
  pthread_t other;
  pthread_create(&other, NULL, compute, NULL);
  compute(NULL);
  pthread_join(other, NULL);
}

static const struct {
  const char* name;
  void (*body)(void);
} kinds[] = {
    {"getppid", getppid_libc},   {"getppid-raw", getppid_raw},
    {"getpid-raw", getpid_raw},  {"read", read_zero},
    {"read-raw", read_zero_raw}, {"pread", pread_file},
    {"pread-64k", pread_64k},    {"write", write_null},
    {"stat", stat_path_once},    {"open-close", open_close},
    {"pipe", pipe_both},         {"clock", clock_now},
    {"mmap", map_unmap},         {"signal", raise_signal},
    {"fork-wait", fork_wait},    {"fork-exec-wait", fork_exec_wait},
    {"thread", thread_join},     {"hand-over", hand_over},
    {"yield", yield_once},       {"compute-two", compute_two},
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void prepare(const char* kind) {
  zero_fd = open(strcmp(kind, "write") == 0 ? "/dev/null" : "/dev/zero", O_RDWR);
  file_fd = open("/usr/bin/env", O_RDONLY);
  if (zero_fd < 0 || file_fd < 0 || pipe(pipe_fds) != 0) exit(3);
  signal(SIGUSR1, on_signal);
  pthread_t thread;
  if (strcmp(kind, "yield") == 0) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof one, &one);
    pthread_create(&thread, NULL, yields, NULL);
  }
  if (strcmp(kind, "hand-over") == 0) pthread_create(&thread, NULL, other_side, NULL);
}

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "wait") == 0) {  // for those who look at this process from outside
    printf("ready\n");
    fflush(stdout);
    (void)!read(0, buffer, 1);
    return 0;
  }
  if (argc > 3) stat_path = argv[3];
  for (size_t i = 0; argc >= 3 && i < sizeof kinds / sizeof *kinds; i++) {
    if (strcmp(kinds[i].name, argv[1]) != 0) continue;
    long count = atol(argv[2]);
    prepare(argv[1]);
    for (long j = 0; j < count / 10 + 1; j++) kinds[i].body();
    double start = now();
    for (long j = 0; j < count; j++) kinds[i].body();
    printf("%.2f\n", (now() - start) / (double)count);
    return 0;
  }
  fprintf(stderr, "bench-calls: usage: bench-calls KIND COUNT [PATH]\n");
  return 2;
}
