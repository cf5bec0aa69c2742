#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "tests/namespace/random_calls.h"

// The random calls, made to the kernel itself.
namespace osp::ns::test {
namespace {

std::string failure() { return strerrorname_np(errno); }
std::string outcome(long result) { return result < 0 ? failure() : "ok"; }

bool write_text(const char* path, std::string_view text) {
  const int fd = ::open(path, O_WRONLY);
  const bool done = fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (fd >= 0) ::close(fd);
  return done;
}

std::string list_names(int fd) {
  DIR* directory = fdopendir(fd);
  std::vector<std::string> names;
  while (const dirent* entry = readdir(directory))
    if (std::string name = entry->d_name; name != "." && name != "..") names.push_back(name);
  closedir(directory);
  std::ranges::sort(names);
  return fmt::format("ok {}", fmt::join(names, " "));
}

// What an open file shows: its description; contents are read or written where it allows that.
std::string use(int fd, const Call& call) {
  if (fd < 0) return failure();
  struct stat st {};
  char buffer[256];
  const int access = call.flags & O_ACCMODE;
  fstat(fd, &st);
  const bool contents = S_ISREG(st.st_mode) && (call.flags & O_PATH) == 0;
  std::string text;
  if (contents && access != O_RDONLY && ::write(fd, call.text.data(), call.text.size()) < 0) text = failure();
  if (contents && access != O_WRONLY)
    if (const ssize_t size = pread(fd, buffer, sizeof buffer, 0); size > 0)
      text.assign(buffer, static_cast<size_t>(size));
  fstat(fd, &st);
  ::close(fd);
  return describe(st.st_mode, st.st_nlink, static_cast<uint64_t>(st.st_size)) + " " + text;
}

std::string make(int base, const Call& call) {
  const char* path = call.path.c_str();
  if (S_ISDIR(call.mode)) return outcome(mkdirat(base, path, call.mode & 07777));
  if (S_ISLNK(call.mode)) return outcome(symlinkat(call.text.c_str(), base, path));
  return outcome(mknodat(base, path, call.mode, 0));
}

std::string open2(int base, const Call& call) {
  open_how how{};
  how.flags = static_cast<uint64_t>(call.flags);
  how.mode = (call.flags & O_CREAT) != 0 ? 0644 : 0;
  how.resolve = call.resolve;
  int fd = -1;
  do {
    fd = static_cast<int>(syscall(SYS_openat2, base, call.path.c_str(), &how, sizeof how));
  } while (fd < 0 && errno == EAGAIN);  // a rename or mount elsewhere on the machine raced with a ".."
  return use(fd, call);
}

std::string status(int base, const Call& call) {
  struct stat st {};
  const int flags = call.kind == Call::lstat ? AT_SYMLINK_NOFOLLOW : 0;
  if (fstatat(base, call.path.c_str(), &st, flags) != 0) return failure();
  return describe(st.st_mode, st.st_nlink, static_cast<uint64_t>(st.st_size));
}

std::string target(int base, const Call& call) {
  char buffer[PATH_MAX];
  const ssize_t size = readlinkat(base, call.path.c_str(), buffer, sizeof buffer);
  return size < 0 ? failure() : "ok " + std::string(buffer, static_cast<size_t>(size));
}

std::string truncated(int base, const Call& call) {
  if (fchdir(base) != 0) return failure();
  return outcome(::truncate(call.path.c_str(), 100));
}

std::string listing(int base, const Call& call) {
  const int fd = openat(base, call.path.c_str(), O_RDONLY | O_DIRECTORY);
  return fd < 0 ? failure() : list_names(fd);
}

std::string call_at(int base, int other, const Call& call) {
  const char* path = call.path.c_str();
  switch (call.kind) {
    case Call::stat:
    case Call::lstat:
      return status(base, call);
    case Call::read_link:
      return target(base, call);
    case Call::open:
      return use(openat(base, path, call.flags, 0644), call);
    case Call::open2:
      return open2(base, call);
    case Call::make:
      return make(base, call);
    case Call::remove:
      return outcome(unlinkat(base, path, call.flags));
    case Call::rename:
      return outcome(renameat2(base, path, other, call.other.c_str(), static_cast<unsigned>(call.flags)));
    case Call::link:
      return outcome(linkat(base, path, other, call.other.c_str(), call.flags));
    case Call::chmod:
      return outcome(fchmodat(base, path, call.mode, 0));
    case Call::truncate:
      return truncated(base, call);
    default:
      return listing(base, call);
  }
}

int open_base(const std::string& base) {
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY;
  how.resolve = RESOLVE_NO_SYMLINKS;
  return static_cast<int>(syscall(SYS_openat2, AT_FDCWD, base.c_str(), &how, sizeof how));
}

}  // namespace

bool enter_root(const std::string& directory) {
  const uid_t uid = geteuid();
  const gid_t gid = getegid();
  if (uid != 0) {
    if (unshare(CLONE_NEWUSER) != 0) return false;
    if (!write_text("/proc/self/setgroups", "deny") || !write_text("/proc/self/uid_map", fmt::format("0 {} 1", uid)) ||
        !write_text("/proc/self/gid_map", fmt::format("0 {} 1", gid)))
      return false;
  }
  umask(0);
  return chroot(directory.c_str()) == 0 && chdir("/") == 0;
}

std::string call_kernel(const Call& call) {
  const int base = open_base(call.base);
  const int other = open_base(call.other_base);
  const std::string result = base < 0 || other < 0 ? "no base" : call_at(base, other, call);
  if (base >= 0) ::close(base);
  if (other >= 0) ::close(other);
  return result;
}

}  // namespace osp::ns::test
