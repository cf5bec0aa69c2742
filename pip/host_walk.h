#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/raw_syscall.h"
#include "pip/server.h"

// Walking a host directory without ever leaving it: openat2(2) with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS.
// Raw system calls only; each may block as open(2) does.
namespace osp::pip {

// A host fd that closes itself.
class HostFd {
 public:
  HostFd() = default;
  explicit HostFd(int fd) : fd_(fd) {}
  HostFd(HostFd&& other) noexcept : fd_(other.release()) {}
  HostFd& operator=(HostFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  HostFd(const HostFd&) = delete;
  HostFd& operator=(const HostFd&) = delete;
  ~HostFd() {
    if (fd_ >= 0) raw::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

// Where an operation on a name happens: the directory that holds it, and the last name.
struct HostParent {
  HostFd opened;  // what `directory` is closed with, unless it is the root's
  int directory = -1;
  std::string name;  // "" is the root itself
};

class HostWalk {
 public:
  // `root` stays the caller's, open and for longer than this.
  // `link_target` may answer for a link in the host's stead.
  using LinkTarget = std::optional<std::string> (*)(std::string_view path);
  explicit HostWalk(int root, LinkTarget link_target = nullptr) : root_(root), link_target_(link_target) {}

  // openat2(2) of `path` below the root; O_CLOEXEC, O_NOCTTY and O_NOFOLLOW are added. A symbolic link on the way,
  // or at the end unless flags hold O_PATH and not O_DIRECTORY, is reported with its target.
  [[nodiscard]] Walked<HostFd> open(std::string_view path, int flags, unsigned permissions = 0) const;

  // Whether this is a directory, with no link on the way.
  [[nodiscard]] bool is_directory(std::string_view path) const;

  // readlink(2). EINVAL: not a link.
  [[nodiscard]] Walked<std::string> read_link(std::string_view path) const;
  // Opens (O_PATH) what a link of proc(5) leads to, in the host's own way, unless it is a directory. Null: this is no
  // such link, or the host refuses.
  [[nodiscard]] HostFd open_unnamed(std::string_view path) const;

  // The directory of the last name of `path`. ENOENT, ENOTDIR, or a link on the way.
  [[nodiscard]] Walked<HostParent> parent(std::string_view path) const;

 private:
  [[nodiscard]] std::optional<std::string> known_target(std::string_view path) const;
  [[nodiscard]] WalkError find_link(std::string_view path) const;

  int root_;
  LinkTarget link_target_;
};

// readlinkat(2) of the link that an O_PATH fd is open on. EINVAL: not a link.
Result<std::string> read_link_of(int fd);

}  // namespace osp::pip
