//: about: C: mmap, mremap, mprotect, madvise, brk, shared memory, generated code, limits, files mapped and changed
//: link: both
//: on: host pip
#include "try.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

enum { PAGE = 4096 };
static const int rw = PROT_READ | PROT_WRITE, anonymous = MAP_PRIVATE | MAP_ANONYMOUS;

static char *map(size_t size, int protection, int flags, int fd) {
  char *m = mmap(NULL, size, protection, flags, fd, 0);
  NEED(m == MAP_FAILED ? -1 : 0);
  return m;
}

static void anonymous_memory(void) {
  char *m = map(16 * PAGE, rw, anonymous, -1);
  memset(m, 1, 16 * PAGE);
  TRY(munmap(m + 4 * PAGE, PAGE));
  TRY(mprotect(m, 16 * PAGE, PROT_READ));
  TRY(mprotect(m, 4 * PAGE, rw));
  TRY(madvise(m, 2 * PAGE, MADV_DONTNEED));
  printf("%d %d\n", m[0], m[3 * PAGE]);
  TRY(mmap(m + 4 * PAGE, PAGE, rw, anonymous | MAP_FIXED, -1, 0) == m + 4 * PAGE);
  printf("fixed %d\n", m[4 * PAGE]);
  TRY(mmap(m, PAGE, rw, anonymous | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED);
  TRY(errno == EEXIST);
  TRY(mmap(m, 2 * PAGE, rw, anonymous | MAP_FIXED, -1, 0) == m);
  char *bigger = mremap(m + 8 * PAGE, 4 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
  TRY(bigger != MAP_FAILED && bigger[0] == 1 && bigger[63 * PAGE] == 0);
  TRY(mremap(bigger, 64 * PAGE, 2 * PAGE, 0) == bigger);
  char *target = map(8 * PAGE, PROT_NONE, anonymous, -1);
  TRY(mremap(bigger, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target);
  TRY(target[5]);
  TRY(mincore(bigger, PAGE, (unsigned char *)m));
  TRY(munmap(m + 1, PAGE));
  TRY(mprotect((void *)0x100000000000, PAGE, PROT_READ));
  TRY(mmap(NULL, 0, rw, anonymous, -1, 0) == MAP_FAILED);
  TRY(mmap(NULL, (size_t)1 << 50, rw, anonymous, -1, 0) == MAP_FAILED);
  TRY(mmap(NULL, PAGE, rw, MAP_PRIVATE, 999, 0) == MAP_FAILED);
  TRY(errno == EBADF);
  char *huge = map((size_t)1 << 33, rw, anonymous | MAP_NORESERVE, -1);
  for (size_t at = 0; at < (size_t)1 << 33; at += (size_t)1 << 28) huge[at] = 1;
  TRY(munmap(huge, (size_t)1 << 33));
  TRY(mlock(target, PAGE));
  TRY(msync(target, PAGE, MS_SYNC));
  TRY(munmap(target, 8 * PAGE));
}

static void brk_memory(void) {
  char *start = sbrk(0);
  TRY(sbrk(100000) == start);
  memset(start, 3, 100000);
  TRY(sbrk(-50000) == start + 100000);
  TRY(brk(start));
  TRY(sbrk(PAGE * 4) == start);
  int zero = 1;
  for (char *p = (char *)(((uintptr_t)start + PAGE - 1) & ~(uintptr_t)(PAGE - 1)); p < start + PAGE * 4; p++) zero &= *p == 0;
  printf("fresh %d\n", zero);
  void *blocks[200];
  for (int i = 0; i < 200; i++) memset(blocks[i] = malloc((size_t)(i * 1000 + 1)), i, (size_t)(i * 1000 + 1));
  int right = 1;
  for (int i = 0; i < 200; i++) right &= ((unsigned char *)blocks[i])[i * 1000] == i;
  for (int i = 0; i < 200; i++) free(blocks[i]);
  printf("malloc %d\n", right);
}

static void file_memory(void) {
  int fd = (int)NEED(open("mapped", O_RDWR | O_CREAT, 0644));
  NEED(ftruncate(fd, 3 * PAGE));
  char *shared = map(3 * PAGE, rw, MAP_SHARED, fd), *private = map(3 * PAGE, rw, MAP_PRIVATE, fd), text[6] = "";
  strcpy(shared, "hello");
  printf("private sees %s\n", private);
  strcpy(private, "mine");
  NEED(pread(fd, text, 5, 0));
  printf("file has %s, shared %s\n", text, shared);
  NEED(pwrite(fd, "HELLO", 5, PAGE));
  printf("shared sees %s\n", shared + PAGE);
  TRY(msync(shared, 3 * PAGE, MS_SYNC));
  close(fd);
  NEED(unlink("mapped"));
  printf("unlinked %s\n", shared);
  fd = (int)NEED(open("again", O_RDWR | O_CREAT, 0644));
  NEED(ftruncate(fd, PAGE));
  char *again = map(PAGE, rw, MAP_SHARED, fd);
  memset(again, 'a', PAGE);
  pid_t pid = split();
  if (pid == 0) {
    again[0] = 'b';
    private[0] = 'x';
    leave(0);
  }
  show_end("child", pid);
  printf("%c %s\n", again[0], private);
  NEED(munmap(again, PAGE));
  int ro = (int)NEED(open("again", O_RDONLY));
  TRY(mmap(NULL, PAGE, rw, MAP_SHARED, ro, 0) == MAP_FAILED);
  TRY(errno == EACCES);
  TRY(mmap(NULL, PAGE, rw, MAP_PRIVATE, ro, 0) != MAP_FAILED);
  TRY(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, ro, 1) == MAP_FAILED);
}

static void shared_memory(void) {
  int *counter = (int *)map(PAGE, rw, MAP_SHARED | MAP_ANONYMOUS, -1);
  pthread_mutexattr_t attr;
  pthread_mutexattr_init(&attr);
  pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
  pthread_mutex_t *mutex = (pthread_mutex_t *)(counter + 16);
  pthread_mutex_init(mutex, &attr);
  for (int i = 0; i < 4; i++) {
    if (split() != 0) continue;
    for (int j = 0; j < 5000; j++) {
      pthread_mutex_lock(mutex);
      ++*counter;
      pthread_mutex_unlock(mutex);
    }
    leave(0);
  }
  while (wait(NULL) > 0) {}
  printf("counted %d\n", *counter);
  int fd = (int)NEED(memfd_create("shared", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  NEED(ftruncate(fd, PAGE));
  char *a = map(PAGE, rw, MAP_SHARED, fd), *b = map(PAGE, PROT_READ, MAP_SHARED, fd);
  strcpy(a, "one memory");
  printf("%s\n", b);
  TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
  TRY(ftruncate(fd, 0));
  char name[32];
  snprintf(name, sizeof name, "/osp-case.%d", getpid());
  int shm = (int)NEED(shm_open(name, O_RDWR | O_CREAT, 0600));
  TRY(shm_unlink(name));
  TRY(ftruncate(shm, PAGE));
}

// Code made at run time: a function, changed and called again; one that makes a system call itself.
static void generated_code(void) {
  unsigned char *code = (unsigned char *)map(PAGE, rw | PROT_EXEC, anonymous, -1);
  const unsigned char returns[] = {0xb8, 1, 0, 0, 0, 0xc3};                    // mov $1, %eax; ret
  const unsigned char calls[] = {0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3};         // mov $39, %eax; syscall; ret
  const unsigned char reads[] = {0x31, 0xc0, 0x0f, 0x05, 0xc3};                // xor %eax, %eax; syscall; ret
  long sum = 0;
  for (int i = 0; i < 100; i++) {
    memcpy(code, returns, sizeof returns);
    code[1] = (unsigned char)i;
    sum += ((int (*)(void))(void *)code)();
  }
  printf("generated %ld\n", sum);
  int right = 0;
  for (int i = 0; i < 100; i++) {
    memcpy(code + i, calls, sizeof calls);
    right += ((int (*)(void))(void *)(code + i))() == getpid();
    right += ((int (*)(void))(void *)(code + i))() == getpid();
  }
  int zero = open("/dev/zero", O_RDONLY);
  for (int i = 0; i < 50; i++) {
    char byte = 1;
    memcpy(code + 1000 + i, reads, sizeof reads);
    for (int j = 0; j < 3; j++) right += ((long (*)(int, void *, long))(void *)(code + 1000 + i))(zero, &byte, 1) == 1 && !byte;
  }
  printf("own system calls %d\n", right);
  memcpy(code, returns, sizeof returns);
  NEED(mprotect(code, PAGE, PROT_READ | PROT_EXEC));
  printf("protected %d\n", ((int (*)(void))(void *)code)());
}

// PROT_GROWSDOWN goes to the stack's lowest page, as who loads a library that wants an executable stack has it.
static void whole_stack(void) {
  static const unsigned char returns[] = {0xb8, 42, 0, 0, 0, 0xc3};
  unsigned char code[4 * PAGE];
  char *const here = (char *)((uintptr_t)(code + 3 * PAGE) & -PAGE), *const heap = map(PAGE, rw, anonymous, -1);
  memcpy(code, returns, sizeof returns);
  TRY(mprotect(heap, PAGE, rw | PROT_GROWSDOWN));
  TRY(mprotect(heap, PAGE, rw | PROT_GROWSUP));
  TRY(mprotect(here, PAGE, rw | PROT_GROWSUP));
  TRY(mprotect(here + 1, PAGE, rw | PROT_GROWSDOWN));
  TRY(mprotect(here, 0, rw | PROT_GROWSDOWN));
  TRY(mprotect(here, PAGE, rw | PROT_EXEC | PROT_GROWSDOWN));
  printf("on the stack %d\n", ((int (*)(void))(void *)code)());
  munmap(heap, PAGE);
  TRY(mprotect(heap, PAGE, rw | PROT_GROWSDOWN));
}

static void limits(void) {
  struct rlimit old, limit;
  NEED(getrlimit(RLIMIT_AS, &old));
  limit = (struct rlimit){(rlim_t)1 << 36, old.rlim_max};
  TRY(setrlimit(RLIMIT_NOFILE, &(struct rlimit){20, 50}));
  int fd = -1, n = 0;
  while ((n = open("/dev/null", O_RDONLY)) >= 0) fd = n;
  printf("highest fd %d %s\n", fd, strerrorname_np(errno));
  TRY(setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000, 1000}));
  signal(SIGXFSZ, SIG_IGN);
  close(fd);
  fd = (int)NEED(open("limited", O_CREAT | O_WRONLY, 0600));
  char block[800] = "";
  TRY(write(fd, block, 800));
  TRY(write(fd, block, 800));
  TRY(write(fd, block, 800));
  TRY(getrlimit(RLIMIT_NOFILE, &limit));
  printf("%lu %lu\n", (unsigned long)limit.rlim_cur, (unsigned long)limit.rlim_max);
  TRY(setrlimit(RLIMIT_NOFILE, &(struct rlimit){60, 50}));
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  anonymous_memory();
  brk_memory();
  file_memory();
  shared_memory();
  generated_code();
  whole_stack();
  limits();
}
