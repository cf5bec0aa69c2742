#include "pip/host_walk.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <array>

namespace osp::pip {
namespace {

constexpr size_t longest_target = 4096;  // PATH_MAX

long open_beneath(int root, const char* path, int flags, unsigned permissions) {
  open_how how{};
  how.flags = static_cast<uint64_t>(static_cast<unsigned>(flags)) | O_CLOEXEC | O_NOFOLLOW;
  if ((flags & O_PATH) == 0) how.flags |= O_NOCTTY | O_LARGEFILE;
  how.mode = permissions;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  long result = 0;
  do {
    result = raw::syscall(SYS_openat2, root, path, &how, sizeof how);
  } while (result == -EINTR || result == -EAGAIN);  // EAGAIN: a rename raced with the walk
  return result;
}

}  // namespace

Result<std::string> read_link_of(int fd) {
  std::string target(longest_target, '\0');
  const auto size = from_raw<size_t>(raw::syscall(SYS_readlinkat, fd, "", target.data(), target.size()));
  // A fd that is no link gives ENOENT for the empty path; readlink(2) says EINVAL.
  if (!size) return fail(size.error().code == ENOENT ? EINVAL : size.error().code);
  target.resize(*size);
  return target;
}

Walked<HostFd> HostWalk::open(std::string_view path, int flags, unsigned permissions) const {
  const std::string name = path.empty() ? "." : std::string(path);
  const long fd = open_beneath(root_, name.c_str(), flags, permissions);
  if (fd >= 0) return HostFd(static_cast<int>(fd));
  if (fd == -ELOOP) return std::unexpected(find_link(path));
  if (fd == -ENOTDIR && (flags & O_DIRECTORY) != 0)  // so says Linux of a link at the end
    if (WalkError error = find_link(path); error.is_link()) return std::unexpected(std::move(error));
  return std::unexpected(WalkError(fd == -EXDEV ? EACCES : static_cast<int>(-fd)));
}

bool HostWalk::is_directory(std::string_view path) const {
  const HostFd fd(static_cast<int>(open_beneath(root_, std::string(path).c_str(), O_PATH | O_DIRECTORY, 0)));
  return fd.get() >= 0;
}

std::optional<std::string> HostWalk::known_target(std::string_view path) const {
  return link_target_ != nullptr ? link_target_(path) : std::nullopt;
}

Walked<std::string> HostWalk::read_link(std::string_view path) const {
  if (auto known = known_target(path)) return std::move(*known);
  OSP_ASSIGN(const HostFd fd, open(path, O_PATH));
  auto target = read_link_of(fd.get());
  if (!target) return std::unexpected(WalkError(target.error()));
  return std::move(*target);
}

HostFd HostWalk::open_unnamed(std::string_view path) const {
  if (known_target(path)) return HostFd();
  const std::string name(path);
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_NO_MAGICLINKS;
  const HostFd link(static_cast<int>(open_beneath(root_, name.c_str(), O_PATH, 0)));
  struct statfs fs {};
  struct stat st {};
  if (link.get() < 0 || raw::syscall(SYS_fstatfs, link.get(), &fs) != 0 || fs.f_type != PROC_SUPER_MAGIC)
    return HostFd();
  const HostFd plain(static_cast<int>(raw::syscall(SYS_openat2, root_, name.c_str(), &how, sizeof how)));
  if (plain.get() != -ELOOP) return HostFd();
  HostFd target(static_cast<int>(raw::syscall(SYS_openat, root_, name.c_str(), O_PATH | O_CLOEXEC)));
  const bool good = target.get() >= 0 && raw::syscall(SYS_fstat, target.get(), &st) == 0 && !S_ISDIR(st.st_mode);
  return good ? std::move(target) : HostFd();
}

// Which prefix of the path is the link that the walk stopped at?
WalkError HostWalk::find_link(std::string_view path) const {
  for (size_t end = path.find('/');; end = path.find('/', end + 1)) {
    const size_t size = end == std::string_view::npos ? path.size() : end;
    const std::string prefix(path.substr(0, size));
    const HostFd fd(static_cast<int>(open_beneath(root_, prefix.c_str(), O_PATH, 0)));
    if (fd.get() < 0) return WalkError(-fd.get());
    if (auto known = known_target(prefix)) return WalkError::link(size, std::move(*known));
    if (auto target = read_link_of(fd.get()); target && !target->empty())
      return WalkError::link(size, std::move(*target));
    if (end == std::string_view::npos) return WalkError(ELOOP);  // it was one a moment ago
  }
}

Walked<HostParent> HostWalk::parent(std::string_view path) const {
  const size_t slash = path.rfind('/');
  HostParent parent{.opened = HostFd(), .directory = root_, .name = std::string(path)};
  if (slash == std::string_view::npos) return parent;
  parent.name = path.substr(slash + 1);
  OSP_ASSIGN(parent.opened, open(path.substr(0, slash), O_PATH | O_DIRECTORY));
  parent.directory = parent.opened.get();
  return parent;
}

}  // namespace osp::pip
