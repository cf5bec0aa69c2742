//: about: C: root mounts in a name space of its own, and the host's keys, handles of files and pid name spaces
//: users: root
#include "try.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static void mounts(void) {
  TRY(unshare(CLONE_NEWNS));
  NEED(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  NEED(mkdir("place", 0755));
  TRY(mount("none", "place", "tmpfs", 0, "size=64k"));
  OK(open("place/inside", O_CREAT | O_WRONLY, 0644));
  TRY(umount2("place", MNT_DETACH));
  TRY(access("place/inside", F_OK));
  TRY(mount("none", "place", "no-such-kind", 0, NULL));
  TRY(umount("place"));
}

static void handles(void) {
  NEED(close((int)NEED(open("file", O_CREAT | O_WRONLY, 0644))));
  struct file_handle *handle = calloc(1, sizeof *handle + MAX_HANDLE_SZ);
  int mount_id = 0;
  TRY(name_to_handle_at(AT_FDCWD, "file", handle, &mount_id, 0));
  printf("needs %d\n", handle->handle_bytes > 0);
  TRY(name_to_handle_at(AT_FDCWD, "file", handle, &mount_id, 0));
  const int here = (int)NEED(open(".", O_RDONLY));
  OK(open_by_handle_at(here, handle, O_RDONLY));
  free(handle);
}

static void keys(void) {
  const long key = syscall(SYS_add_key, "user", "osp-case", "secret", 6L, -2);  // this process's keyring
  char text[8] = "";
  TRY(syscall(SYS_keyctl, 11, key, text, sizeof text));  // KEYCTL_READ
  printf("key: %s\n", text);
}

static void first_of_its_own(void) {
  fflush(stdout);
  const long pid = syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, NULL, NULL, NULL, NULL);
  if (pid == 0) {
    printf("pid %d\n", (int)getpid());
    leave(0);
  }
  show_end("child", (pid_t)pid);
}

int main(void) {
  keys();
  handles();
  first_of_its_own();
  mounts();
}
