//: about: C: memory that is sealed (mseal) or locked as a whole (mlockall), and what PROCMAP_QUERY says of it
//: link: both
#include "try.h"
#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

enum { page = 4096 };

static long seal(char *at, size_t size, unsigned long flags) { return syscall(462, at, size, flags); }

static char *fresh(int pages, int protection) {
  return mmap(NULL, (size_t)pages * page, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long failed(void *at) { return at == MAP_FAILED ? -1 : 0; }

static void seals(void) {
  char *all = fresh(8, PROT_READ | PROT_WRITE), *at = all + 2 * page, *other = fresh(4, PROT_READ);
  TRY(seal(at + 1, page, 0));
  TRY(seal(at, page, 1));
  TRY(seal((char *)(16L * page), page, 0));
  TRY(seal(at, 0, 0));
  TRY(seal(at, page + 1, 0));
  TRY(mprotect(at, page, PROT_READ));
  TRY(mprotect(all, 8 * page, PROT_NONE));
  TRY(munmap(all, 8 * page));
  TRY(munmap(at + page, page));
  TRY(failed(mmap(at, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)));
  TRY(failed(mremap(at, page, 2 * page, MREMAP_MAYMOVE)));
  TRY(failed(mremap(other, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, at)));
  TRY(madvise(at, page, MADV_DONTNEED));
  TRY(munmap(all, 2 * page));
  TRY(mprotect(at + 2 * page, page, PROT_READ));
  at[0] = 1;
  TRY(seal(other, page, 0));
  TRY(madvise(other, page, MADV_DONTNEED));
  TRY(madvise(other, page, MADV_WILLNEED));
  TRY(madvise(other + page, page, MADV_DONTNEED));
  char *heap = sbrk(2 * page);
  TRY(seal((char *)(((uintptr_t)heap + page) & ~(uintptr_t)(page - 1)), page, 0));
  printf("heap %s\n", sbrk(-2 * page) == (void *)-1 ? "stays" : "shrinks");
}

static long locked_kb(void) {
  char line[256];
  long kb = -1;
  FILE *status = fopen("/proc/self/status", "r");
  while (fgets(line, sizeof line, status))
    if (!strncmp(line, "VmLck:", 6)) kb = atol(line + 6);
  fclose(status);
  return kb;
}

static void locks(void) {
  TRY(mlockall(0));
  TRY(mlockall(MCL_ONFAULT));
  TRY(mlockall(64));
  TRY(mlockall(MCL_CURRENT));
  const long before = locked_kb();
  printf("locked %d\n", before > 0);
  TRY(mlockall(MCL_CURRENT | MCL_FUTURE));
  char *more = fresh(16, PROT_READ | PROT_WRITE);
  printf("more is locked %d\n", locked_kb() >= before + 64);
  TRY(munlockall());
  printf("locked %ld\n", locked_kb());
  TRY(munmap(more, 16 * page));
  pid_t pid = split();
  if (pid == 0) {
    struct rlimit none = {2 * page, 2 * page};
    NEED(setrlimit(RLIMIT_MEMLOCK, &none));
    if (geteuid() == 0) leave(0);
    TRY(mlockall(MCL_CURRENT));
    printf("locked %ld\n", locked_kb());
    leave(0);
  }
  show_end("with less", pid);
}

struct query {
  uint64_t size, flags, address, start, end, area_flags, page_size, offset, inode;
  uint32_t major, minor, name_size, build_id_size;
  uint64_t name, build_id;
};

static void ask(int fd, const char *what, void *address, uint64_t flags) {
  char name[256] = "";
  struct query q = {sizeof q, flags, (uintptr_t)address, .name_size = sizeof name, .name = (uintptr_t)name};
  const int result = ioctl(fd, _IOWR('f', 17, struct query), &q);
  printf("%s: %s", what, result == 0 ? "found" : strerrorname_np(errno));
  if (result == 0)
    printf(" from %ld size %ld flags %lu page %lu offset %lu name %s", (long)q.start - (long)address,
           (long)(q.end - q.start), (unsigned long)q.area_flags, (unsigned long)q.page_size, (unsigned long)q.offset,
           name);
  printf("\n");
}

static void queries(void) {
  const int fd = (int)NEED(open("/proc/self/maps", O_RDONLY)), zero = (int)NEED(open("/dev/null", O_RDONLY));
  char *all = fresh(16, PROT_NONE), *at = all + 4 * page;
  NEED(mprotect(at, 2 * page, PROT_READ | PROT_WRITE));
  NEED(munmap(at + 2 * page, 2 * page));
  ask(fd, "in it", at + page, 0);
  ask(fd, "in a hole", at + 3 * page, 0);
  ask(fd, "behind a hole", at + 3 * page, 16);
  ask(fd, "not to be read", all, 1);
  ask(fd, "next to be read", all, 16 | 1);
  ask(fd, "unknown", at, 1024);
  struct query small = {8, 0, (uintptr_t)at, .name = 0}, large = {page + 1, 0, (uintptr_t)at, .name = 0};
  struct query half = {sizeof half, 0, (uintptr_t)at, .name_size = 4};
  TRY(ioctl(fd, _IOWR('f', 17, struct query), &small));
  TRY(ioctl(fd, _IOWR('f', 17, struct query), &large));
  TRY(ioctl(fd, _IOWR('f', 17, struct query), &half));
  TRY(ioctl(fd, _IOWR('f', 17, struct query), NULL));
  TRY(ioctl(fd, TIOCGWINSZ, NULL));
  close(zero);
  close(fd);
}

int main(int argc, char **argv) {
  if (argc > 1) {
    printf("executed\n");
    return 0;
  }
  locks();
  struct query probe = {sizeof probe, 0, (uintptr_t)&probe, .name = 0};
  const int maps = open("/proc/self/maps", O_RDONLY);
  if (ioctl(maps, _IOWR('f', 17, struct query), &probe) == 0) queries();
  close(maps);
  if (seal(NULL, 0, 0) == -1 && errno == ENOSYS) return 0;  // an older kernel
  seals();
  fflush(stdout);
  return execl(argv[0], argv[0], "again", NULL);
}
