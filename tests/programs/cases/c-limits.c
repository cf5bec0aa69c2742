//: about: C: limits on fds that are lower than what the core needs for itself, EMFILE, children and threads there
//: link: both
#include "try.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

static void limit_fds(rlim_t soft, rlim_t hard) {
  struct rlimit limit = {soft, hard};
  NEED(setrlimit(RLIMIT_NOFILE, &limit));
}

// Fills every number below the limit and says how many there were.
static int fill(int *first) {
  int fd, count = 0;
  while ((fd = open("/dev/null", O_RDONLY)) >= 0) {
    if (count++ == 0) *first = fd;
  }
  printf("%d from %d, then %s\n", count, *first, strerrorname_np(errno));
  return count;
}

static void empty(int first, int count) {
  for (int i = 0; i < count; i++) NEED(close(first + i));
}

static void *count_up(void *sum) {
  for (int i = 0; i < 1000; i++) __atomic_add_fetch((int *)sum, 1, __ATOMIC_RELAXED);
  return NULL;
}

static void live(void) {
  pthread_t threads[4];
  int sum = 0;
  for (int i = 0; i < 4; i++) NEED(-pthread_create(&threads[i], NULL, count_up, &sum) >= 0 ? 0 : -1);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  printf("threads %d\n", sum);
  int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t pid = split();
  if (pid == 0) {
    *shared = 42;
    leave(3);
  }
  show_end("child", pid);
  printf("shared %d\n", *shared);
  char line[100] = "";
  FILE *f = popen("echo from a shell; ulimit -Sn; ulimit -Hn", "r");
  while (f && fgets(line, sizeof line, f)) printf("%s", line);
  printf("pclose %d\n", f ? pclose(f) : -1);
}

// However we look for them, there are no fds that the program did not open.
static void look(void) {
  struct stat st;
  char c;
  int open_fds = 0, reads = 0, flags = 0;
  for (int fd = 3; fd < 5000; fd++) {
    open_fds += fstat(fd, &st) == 0;
    reads += read(fd, &c, 0) == 0;
    flags += fcntl(fd, F_GETFD) >= 0;
  }
  printf("stat %d, read %d, flags %d, lseek %d\n", open_fds, reads, flags, (int)lseek(1024, 0, SEEK_CUR));
}

// The first child of all, of a process that may write no large file.
static void small_files(void) {
  struct rlimit before, small;
  NEED(getrlimit(RLIMIT_FSIZE, &before));
  small = (struct rlimit){1000, before.rlim_max};
  NEED(setrlimit(RLIMIT_FSIZE, &small));
  pid_t child = split();
  if (child == 0) leave(7);
  show_end("child with small files", child);
  NEED(setrlimit(RLIMIT_FSIZE, &before));
}

int main(void) {
  int first = 0, count;
  small_files();
  look();
  limit_fds(64, 4096);
  count = fill(&first);
  TRY(dup2(0, 64));
  TRY(dup2(0, 63));
  TRY(fcntl(0, F_DUPFD, 64));
  TRY(fcntl(0, F_DUPFD, 10));
  TRY(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 0, 0) == MAP_FAILED);
  empty(first, count);
  live();
  limit_fds(1024, 1024);
  count = fill(&first);
  empty(first, count);
  live();
  limit_fds(40, 40);
  count = fill(&first);
  empty(first, count);
  live();
}
