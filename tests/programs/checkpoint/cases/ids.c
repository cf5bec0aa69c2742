//: about: C: pid, tid and clocks by calls that take the quick way, and reads that wait, all the same after a restore
//: run: {exe} 200
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long long now(int raw) {
  struct timespec t;
  if (raw)
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
  else
    clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char** argv) {
  (void)argc;
  int fds[2];
  if (pipe(fds) != 0) return 1;
  long pid = getpid(), wrong_ids = 0, back = 0, lost = 0;
  long long last = now(0);
  printf("begun\n");
  fflush(stdout);
  for (int i = 0; i < atoi(argv[1]); i++) {
    for (int j = 0; j < 2000; j++) {
      wrong_ids += syscall(SYS_getpid) != pid || syscall(SYS_gettid) != pid;
      const long long next = now(j & 1);
      back += next < last;
      last = next;
      char out = (char)j, in = 0;
      lost += write(fds[1], &out, 1) != 1 || read(fds[0], &in, 1) != 1 || in != out;
    }
    usleep(5000);
  }
  printf("wrong ids %ld, back %ld, lost %ld\n", wrong_ids, back, lost);
  return 0;
}
