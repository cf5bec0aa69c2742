// Runs a command COUNT times, one after the other, and prints the mean in microseconds:
// `bench-spawn COUNT PROG ARGS…`. What the command prints goes to /dev/null; it must succeed.
// BENCH_PRELOAD, if set, becomes the command's LD_PRELOAD, but not this program's own.
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "bench-spawn: usage: bench-spawn COUNT PROG ARGS...\n");
    return 2;
  }
  if (getenv("BENCH_PRELOAD")) {
    setenv("LD_PRELOAD", getenv("BENCH_PRELOAD"), 1);
    unsetenv("BENCH_PRELOAD");
  }
  posix_spawn_file_actions_t quiet;
  posix_spawn_file_actions_init(&quiet);
  posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
  double start = now();
  for (long i = 0, count = atol(argv[1]); i < count; i++) {
    pid_t pid;
    int status, error = posix_spawnp(&pid, argv[2], &quiet, NULL, argv + 2, environ);
    if (error != 0 || waitpid(pid, &status, 0) != pid || status != 0) {
      fprintf(stderr, "bench-spawn: %s: %s\n", argv[2], error ? strerror(error) : "it failed");
      return 3;
    }
  }
  printf("%.2f\n", (now() - start) / (double)atol(argv[1]));
  return 0;
}
