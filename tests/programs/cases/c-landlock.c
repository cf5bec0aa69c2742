//: about: C: Landlock's right to execute, in this process, its children, and what they execute
//: doors: run
#include "try.h"
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static void copy(const char *from, const char *to) {
  char buffer[65536];
  long size;
  const int in = (int)NEED(open(from, O_RDONLY)), out = (int)NEED(open(to, O_WRONLY | O_CREAT, 0755));
  while ((size = NEED(read(in, buffer, sizeof buffer))) > 0) NEED(write(out, buffer, (size_t)size));
  close(in);
  close(out);
}

static void run(const char *path, const char *argument) {
  pid_t pid = split();
  if (pid == 0) {
    execl(path, path, argument, NULL);
    printf("%s: %s\n", path, strerrorname_np(errno));
    leave(9);
  }
  show_end(path, pid);
}

static void allow(int rules, const char *path) {
  struct landlock_path_beneath_attr beneath = {.allowed_access = LANDLOCK_ACCESS_FS_EXECUTE};
  beneath.parent_fd = open(path, O_PATH | O_CLOEXEC);
  if (beneath.parent_fd < 0) return;
  NEED(syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0));
  close(beneath.parent_fd);
}

int main(int argc, char **argv) {
  const struct landlock_ruleset_attr attributes = {.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE};
  if (argc > 1) {
    printf("ran\n");
    if (*argv[1] == 'a') run("forbidden/program", "b");
    return 0;
  }
  mkdir("allowed", 0755);
  mkdir("forbidden", 0755);
  copy(argv[0], "allowed/program");
  copy(argv[0], "forbidden/program");
  run("forbidden/program", "b");
  const int rules = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
  if (rules < 0) {
    printf("no Landlock: %s\n", strerrorname_np(errno));
    return 0;
  }
  allow(rules, "/usr");
  allow(rules, "/lib");
  allow(rules, "/lib64");
  allow(rules, "allowed");
  NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  NEED(syscall(SYS_landlock_restrict_self, rules, 0));
  run("allowed/program", "a");
  run("forbidden/program", "b");
  return 0;
}
