//: about: C: a directory that becomes a link to elsewhere between two looks, by this process or another
//: link: both
#include "try.h"
#include <fcntl.h>
#include <sys/stat.h>

static char outer[64], inner[128], here[4096];

// "inner" is on the host, `here` on what the case stands on: a link between them is read in the name space.
static int leads_here(void) {
  struct stat st;
  char name[256];
  snprintf(name, sizeof name, "%s/there", inner);
  return stat(name, &st) == 0;
}

static void make_directory(void) {
  NEED(mkdir(inner, 0755));
  if (leads_here()) printf("the directory leads here\n");
}

static void make_link(void) {
  NEED(rmdir(inner));
  NEED(symlink(here, inner));
}

static void change_in_child(int tell) {
  pid_t child = split();
  if (child == 0) {
    make_link();
    NEED(write(tell, "x", 1));
    leave(0);
  }
}

static int by_itself(void) {
  make_directory();
  make_link();
  return leads_here();
}

static int by_a_child_that_ends(void) {
  make_directory();
  change_in_child(2);
  NEED(wait(NULL));
  return leads_here();
}

static int by_a_child_that_tells(void) {
  int ends[2];
  char byte;
  NEED(pipe(ends));
  make_directory();
  change_in_child(ends[1]);
  NEED(read(ends[0], &byte, 1));
  int found = leads_here();
  NEED(wait(NULL));
  close(ends[0]), close(ends[1]);
  return found;
}

static void count(const char *name, int (*way)(void)) {
  int found = 0;
  for (int i = 0; i < 50; i++) {
    found += way();
    NEED(unlink(inner));
  }
  printf("%s: %d of 50\n", name, found);
}

int main(void) {
  strcpy(outer, "/tmp/osp-c-links-XXXXXX");
  if (mkdtemp(outer) == NULL) return 98;
  snprintf(inner, sizeof inner, "%s/inner", outer);
  if (getcwd(here, sizeof here) == NULL) return 97;
  NEED(close((int)NEED(open("there", O_CREAT | O_WRONLY, 0644))));
  NEED(dup2(open("/dev/null", O_WRONLY), 2));
  count("changed by itself", by_itself);
  count("by a child that ends", by_a_child_that_ends);
  count("by a child that tells", by_a_child_that_tells);
  NEED(rmdir(outer));
  return 0;
}
