//: about: C: files mapped by several, SIGBUS behind the end, growth and truncation under a mapping, seals, /dev/zero
#include "../../programs/cases/try.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { PAGE = 4096 };
static const int rw = PROT_READ | PROT_WRITE;

static sigjmp_buf back;
static volatile sig_atomic_t code;
static void* volatile where;

static void caught(int signo, siginfo_t* info, void* context) {
  (void)context;
  code = info->si_code;
  where = info->si_addr;
  siglongjmp(back, signo);
}

// Reads or writes a byte there, and prints what came of it.
static void touch(const char* name, char* start, size_t at, int write) {
  volatile char* byte = start + at;
  const int signo = sigsetjmp(back, 1);
  if (signo == 0) {
    if (write) *byte = 'w';
    printf("%s: %d\n", name, *byte);
  } else {
    printf("%s: signal %d code %d at %s\n", name, signo, code, where == byte ? "the byte" : "another");
  }
}

static char* map(size_t size, int protection, int flags, int fd, off_t offset) {
  char* m = mmap(NULL, size, protection, flags, fd, offset);
  NEED(m == MAP_FAILED ? -1 : 0);
  return m;
}

static void the_end(void) {
  const int fd = (int)NEED(open("end", O_RDWR | O_CREAT | O_TRUNC, 0644));
  NEED(write(fd, "begin", 5));
  char *shared = map(8 * PAGE, rw, MAP_SHARED, fd, 0), *private = map(8 * PAGE, rw, MAP_PRIVATE, fd, 0);
  touch("within", shared, 4, 0);
  touch("rest of the page", shared, PAGE - 1, 0);
  touch("private rest", private, PAGE - 1, 1);
  touch("behind", shared, PAGE, 0);
  touch("behind, written", shared, 3 * PAGE, 1);
  touch("private behind", private, PAGE + 7, 0);
  touch("private behind, written", private, 5 * PAGE, 1);
  char buffer[PAGE];
  TRY(pread(open("/dev/zero", O_RDONLY), shared + 2 * PAGE, 10, 0));
  TRY(write(fd, shared + 2 * PAGE, 10));
  NEED(ftruncate(fd, 3 * PAGE + 1));
  touch("grown", shared, 3 * PAGE, 1);
  touch("private grown", private, 3 * PAGE, 0);
  touch("still behind", shared, 4 * PAGE, 0);
  strcpy(shared + 3 * PAGE + 100, "behind the end");
  NEED(ftruncate(fd, 4 * PAGE));
  printf("zeros again: '%s' %c\n", shared + 3 * PAGE + 100, shared[3 * PAGE]);
  strcpy(shared + 10, "in the first page");
  NEED(ftruncate(fd, 12));
  printf("cut: '%s'\n", shared + 10);
  touch("cut off", shared, PAGE, 0);
  touch("private cut off", private, 3 * PAGE, 0);
  NEED(ftruncate(fd, 8 * PAGE));
  touch("back", shared, PAGE, 0);
  printf("%zd '%.2s' '%s'\n", pread(fd, buffer, sizeof buffer, 10), buffer, shared + 12);
  NEED(ftruncate(fd, 0));
  touch("empty", shared, 0, 0);
  NEED(munmap(shared, 8 * PAGE) | munmap(private, 8 * PAGE));
  TRY(pwrite(fd, "after", 5, 0));
  close(fd);
}

static void several(void) {
  const int fd = (int)NEED(open("shared", O_RDWR | O_CREAT | O_TRUNC, 0644));
  NEED(ftruncate(fd, 4 * PAGE));
  char* all = map(4 * PAGE, rw, MAP_SHARED, fd, 0);
  const pid_t pid = split();
  if (pid == 0) {
    const int own = (int)NEED(open("shared", O_RDWR));
    char* part = map(2 * PAGE, rw, MAP_SHARED, own, 2 * PAGE);
    strcpy(part, "from the child");
    NEED(pwrite(own, "by write", 8, PAGE));
    NEED(ftruncate(own, 40 * PAGE));
    char* more = mremap(part, 2 * PAGE, 38 * PAGE, MREMAP_MAYMOVE);
    NEED(more == MAP_FAILED ? -1 : 0);
    strcpy(more + 37 * PAGE, "at the end");
    leave(strcmp(more, "from the child"));
  }
  show_end("child", pid);
  char end[20] = "";
  TRY(pread(fd, end, sizeof end, 39 * PAGE));
  printf("'%s' '%s' '%s'\n", all + 2 * PAGE, all + PAGE, end);
  TRY(lseek(fd, 0, SEEK_END));
  all = mremap(all, 4 * PAGE, 40 * PAGE, MREMAP_MAYMOVE);
  printf("'%s' '%s'\n", all + 2 * PAGE, all + 39 * PAGE);
  TRY(munmap(all + PAGE, 38 * PAGE));
  printf("%d '%s'\n", all[0], all + 39 * PAGE);
  char* private = map(40 * PAGE, rw, MAP_PRIVATE, fd, 0);
  strcpy(private + PAGE, "mine");
  NEED(pread(fd, end, sizeof end, PAGE));
  printf("'%s' '%s' '%s'\n", private + 2 * PAGE, private + PAGE, end);
  TRY(madvise(private, 40 * PAGE, MADV_DONTNEED));
  printf("'%s'\n", private + PAGE);
  close(fd);
  NEED(unlink("shared"));
  printf("'%s'\n", private + 39 * PAGE);
}

static void rights(void) {
  const int fd = (int)NEED(open("rights", O_RDWR | O_CREAT | O_TRUNC, 0644));
  NEED(ftruncate(fd, PAGE));
  const int reading = (int)NEED(open("rights", O_RDONLY)), writing = (int)NEED(open("rights", O_WRONLY));
  const int name = (int)NEED(open("rights", O_PATH));
  char* m = map(PAGE, PROT_READ, MAP_SHARED, reading, 0);
  TRY(mprotect(m, PAGE, rw));
  touch("reading", m, 0, 0);
  touch("read only", m, 0, 1);
  m = map(PAGE, PROT_READ, MAP_PRIVATE, reading, 0);
  TRY(mprotect(m, PAGE, rw));
  touch("private", m, 0, 1);
  TRY(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, writing, 0) == MAP_FAILED ? errno : 0);
  TRY(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, name, 0) == MAP_FAILED ? errno : 0);
  TRY(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, 999, 0) == MAP_FAILED ? errno : 0);
  TRY(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, open(".", O_RDONLY), 0) == MAP_FAILED ? errno : 0);
  char path[40];
  struct stat status;
  snprintf(path, sizeof path, "/proc/self/fd/%d", name);
  TRY(chmod(path, 0604));
  NEED(stat("rights", &status));
  printf("%o\n", status.st_mode);
  int ends[2];
  NEED(pipe(ends));
  TRY(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ends[0], 0) == MAP_FAILED ? errno : 0);
  m = map(PAGE, rw, MAP_SHARED_VALIDATE, fd, 0);
  touch("validated", m, 0, 1);
  const int zero = (int)NEED(open("/dev/zero", O_RDWR));
  char *zeros = map(2 * PAGE, rw, MAP_SHARED, zero, 0), *own = map(2 * PAGE, rw, MAP_PRIVATE, zero, 0);
  if (split() == 0) {
    zeros[PAGE] = own[PAGE] = 'z';
    leave(0);
  }
  wait(NULL);
  printf("zero %d %d\n", zeros[PAGE], own[PAGE]);
}

static void seals(void) {
  const int fd = (int)NEED(memfd_create("sealed", MFD_ALLOW_SEALING)), never = (int)NEED(memfd_create("never", 0));
  NEED(ftruncate(fd, PAGE));
  char* m = map(PAGE, rw, MAP_SHARED, fd, 0);
  strcpy(m, "kept");
  TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
  TRY(ftruncate(fd, PAGE + 1));
  TRY(ftruncate(fd, 0));
  TRY(pwrite(fd, "x", 1, PAGE));
  TRY(pwrite(fd, "k", 1, 0));
  NEED(munmap(m, PAGE));
  TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL));
  TRY(pwrite(fd, "k", 1, 0));
  TRY(mmap(NULL, PAGE, rw, MAP_SHARED, fd, 0) == MAP_FAILED ? errno : 0);
  printf("'%s'\n", map(PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
  TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
  TRY(fcntl(fd, F_GET_SEALS));
  TRY(fcntl(never, F_ADD_SEALS, F_SEAL_GROW));
  TRY(fcntl(never, F_GET_SEALS));
  TRY(fcntl(0, F_GET_SEALS));
}

static void again(void) {
  const int fd = (int)NEED(memfd_create("again", MFD_ALLOW_SEALING));
  NEED(write(fd, "contents", 8));
  char name[40], text[10] = "";
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  const int other = (int)NEED(open(name, O_RDONLY));
  TRY(read(other, text, 4));
  TRY(lseek(fd, 0, SEEK_CUR));
  TRY(write(other, "x", 1));
  TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
  TRY(fcntl(other, F_GET_SEALS));
  TRY(open(name, O_RDONLY | O_NOFOLLOW));
  TRY(truncate(name, 3));
  TRY(lseek(other, 0, SEEK_END));
  NEED(close(fd));
  TRY(open(name, O_RDONLY));
  TRY(pread(other, text, 8, 0));
  printf("'%s'\n", text);
  char *old = map(2 * PAGE, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  strcpy(old, "moved");
  char *moved = mremap(old, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
  printf("'%s' '%s'\n", moved, old);
}

static void forked(void) {
  const int none = MAP_PRIVATE | MAP_ANONYMOUS;
  char *wiped = map(PAGE, rw, none, -1, 0), *gone = map(PAGE, rw, none, -1, 0), *kept = map(PAGE, rw, none, -1, 0);
  strcpy(wiped, "secret"), strcpy(gone, "gone"), strcpy(kept, "kept");
  TRY(madvise(wiped, PAGE, MADV_WIPEONFORK));
  TRY(madvise(gone, PAGE, MADV_DONTFORK));
  const pid_t pid = split();
  if (pid == 0) {
    printf("child '%s' '%s'\n", wiped, kept);
    touch("not the child's", gone, 0, 0);
    leave(0);
  }
  show_end("forked", pid);
  printf("'%s' '%s' '%s'\n", wiped, gone, kept);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  const struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};
  sigaction(SIGBUS, &action, NULL);
  sigaction(SIGSEGV, &action, NULL);
  the_end();
  several();
  rights();
  seals();
  again();
  forked();
}
