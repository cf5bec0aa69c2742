// Like live_fixture.cc, for files in memory: the memory file system is at /scratch and /again.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "tests/migrate/expect.h"

namespace {

std::string contents(int fd) {
  char buffer[64] = {};
  const ssize_t size = pread(fd, buffer, sizeof buffer, 0);
  return {buffer, size > 0 ? static_cast<size_t>(size) : 0};
}

struct stat facts(int fd) {
  struct stat st = {};
  expect(fstat(fd, &st) == 0, "fstat");
  return st;
}

bool is_same(const struct stat& a, const struct stat& b) {
  return a.st_ino == b.st_ino && a.st_mode == b.st_mode && a.st_nlink == b.st_nlink && a.st_size == b.st_size &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

bool is_locked_for_others(int fd) {
  const pid_t child = fork();
  if (child == 0) {
    struct flock range = {};
    range.l_type = F_WRLCK, range.l_whence = SEEK_SET, range.l_start = 100, range.l_len = 10;
    _exit(fcntl(fd, F_SETLK, &range) != 0 && errno == EAGAIN ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return status == 0;
}

}  // namespace

int main() {
  setvbuf(stdout, nullptr, _IOLBF, 0);
  expect(mkdir("/scratch/folder", 0750) == 0, "mkdir");
  const int named = open("/scratch/folder/named", O_RDWR | O_CREAT, 0640);
  expect(write(named, "named file", 10) == 10 && lseek(named, 6, SEEK_SET) == 6, "write");
  expect(link("/scratch/folder/named", "/scratch/second") == 0, "link");
  expect(symlink("folder/named", "/scratch/pointer") == 0, "symlink");
  expect(setxattr("/scratch/second", "user.colour", "blue", 4, 0) == 0, "setxattr");
  const int moved = open("/scratch/before", O_RDWR | O_CREAT, 0400);
  expect(write(moved, "moved", 5) == 5 && rename("/scratch/before", "/scratch/after") == 0, "rename");
  const int removed = open("/scratch/removed", O_RDWR | O_CREAT | O_APPEND, 0600);
  expect(write(removed, "removed", 7) == 7 && unlink("/scratch/removed") == 0, "unlink");
  struct flock range = {};
  range.l_type = F_WRLCK, range.l_whence = SEEK_SET, range.l_start = 100, range.l_len = 10;
  expect(fcntl(named, F_SETLK, &range) == 0, "a lock");
  const int folder = open("/scratch/folder", O_RDONLY | O_DIRECTORY);
  auto* shared = static_cast<char*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, named, 0));
  expect(shared != MAP_FAILED, "mmap");
  shared[0] = 'N';
  const struct stat named_was = facts(named), moved_was = facts(moved), removed_was = facts(removed);
  std::printf("begun\n");
  while (access("go", F_OK) != 0) usleep(2000);
  expect(is_same(facts(moved), moved_was), "a renamed file is the same");
  expect(is_same(facts(removed), removed_was), "a removed file is the same");
  expect(facts(named).st_ino == named_was.st_ino && facts(named).st_nlink == 2, "a file with two names");
  expect(contents(named) == "Named file", "contents that were written through a mapping");
  expect(lseek(named, 0, SEEK_CUR) == 6, "an offset");
  expect(is_locked_for_others(named), "the lock");
  expect(contents(moved) == "moved" && pwrite(moved, "M", 1, 0) == 1, "a file that may not be written to by name");
  const int again = open("/again/after", O_RDONLY);
  expect(contents(again) == "Moved" && facts(again).st_ino == moved_was.st_ino, "the same by its other mount");
  expect(write(removed, ", still", 7) == 7 && contents(removed) == "removed, still", "appending to a removed file");
  shared[1] = 'A';
  msync(shared, 4096, MS_SYNC);
  expect(contents(named) == "NAmed file", "a mapping goes on");
  char text[64] = {};
  expect(readlink("/scratch/pointer", text, sizeof text) == 12, "a symbolic link");
  expect(getxattr("/scratch/folder/named", "user.colour", text, sizeof text) == 4, "an attribute");
  expect(openat(folder, "named", O_RDONLY) >= 0, "a directory that is open");
  DIR* const listed = opendir("/scratch");
  int entries = 0;
  while (listed != nullptr && readdir(listed) != nullptr) ++entries;
  expect(entries == 6, "the names in the root");
  std::printf("ended, %d wrong\n", failures);
  return failures == 0 ? 0 : 1;
}
