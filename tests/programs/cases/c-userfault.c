//: about: C: userfaultfd: pages that one thread waits for and another gives
//: link: both
#include "try.h"
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { PAGE = 4096 };

static int faults = -1;

// Gives each page that is missing its number, counted from 1 on.
static void *give_pages(void *start) {
  static char page[PAGE];
  struct pollfd ready = {faults, POLLIN, 0};
  for (int given = 0; given < 8; given++) {
    struct uffd_msg message;
    NEED(poll(&ready, 1, -1));
    NEED(read(faults, &message, sizeof message));
    uint64_t at = message.arg.pagefault.address & ~(uint64_t)(PAGE - 1);
    memset(page, (int)((at - (uint64_t)(uintptr_t)start) / PAGE) + 1, PAGE);
    struct uffdio_copy copy = {.dst = at, .src = (uint64_t)(uintptr_t)page, .len = PAGE};
    NEED(ioctl(faults, UFFDIO_COPY, &copy));
  }
  return NULL;
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  char *m = mmap(NULL, 9 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  NEED(m == MAP_FAILED ? -1 : 0);
  faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
  if (faults < 0) {
    printf("userfaultfd %s\n", strerrorname_np(errno));
    return 0;
  }
  struct uffdio_api api = {.api = UFFD_API};
  struct uffdio_register missing = {.range = {(uint64_t)(uintptr_t)m, 9 * PAGE}, .mode = UFFDIO_REGISTER_MODE_MISSING};
  TRY(ioctl(faults, UFFDIO_API, &api));
  TRY(ioctl(faults, UFFDIO_REGISTER, &missing));
  pthread_t giver;
  NEED(pthread_create(&giver, NULL, give_pages, m));
  int sum = 0, ends[2];
  for (int i = 0; i < 8; i++) sum += m[i * PAGE + 17];
  printf("sum %d\n", sum);
  NEED(pthread_join(giver, NULL));
  NEED(pipe(ends));
  TRY(write(ends[1], m + 8 * PAGE, 1));
  TRY(write(ends[1], m, 1));
  struct uffdio_range all = missing.range;
  TRY(ioctl(faults, UFFDIO_UNREGISTER, &all));
  printf("zero %d\n", m[8 * PAGE]);
  close(faults);
}
