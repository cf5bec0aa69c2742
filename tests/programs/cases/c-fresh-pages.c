//: about: C: pages that nobody has touched are not there (mincore), of small and large mappings, by themselves and after a fork
#include "try.h"
#include <sys/mman.h>

enum { PAGE = 4096, MOST = 20 };

static int there(const void *start, int pages) {
  unsigned char state[MOST];
  int count = 0;
  NEED(mincore((void *)start, (size_t)pages * PAGE, state));
  for (int i = 0; i < pages; i++) count += state[i] & 1;
  return count;
}

static void look(int pages) {
  char *m = mmap(NULL, (size_t)pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (m == MAP_FAILED) exit(1);
  const int before = there(m, pages);
  m[0] = 1;
  printf("%d pages: %d there, %d after one was written to\n", pages, before, there(m, pages));
  fflush(stdout);
  if (fork() == 0) {
    printf("in a child: %d\n", there(m, pages));
    exit(0);
  }
  wait(NULL);
  munmap(m, (size_t)pages * PAGE);
}

int main(void) {
  const int sizes[] = {1, 2, 3, 4, MOST};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) look(sizes[i]);
  return 0;
}
