#pragma once

#include <fcntl.h>

#include <string>
#include <utility>
#include <vector>

#include "tools/unpack/outcome.h"

namespace osp::unpack {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd();
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// openat2(2) that does not leave `root`, whatever links there are in `path`: absolute ones begin at `root`. "" is
// `root` itself. Not valid on failure, with errno.
Fd open_within(int root, const std::string& path, int flags);

// What is in a directory, but for "." and "..". The error is errno's.
Outcome<std::vector<std::string>> names_in(int directory);

// Removes `name` in `directory` and all below it, links as links, also what the user may not look into as it is. ENOENT
// is no failure. The error is errno's.
Outcome<void> remove_all(int directory, const std::string& name);

// The whole of a file; refused beyond `most` bytes.
Outcome<std::string> read_file(int directory, const std::string& name, size_t most);
Outcome<void> write_file(int directory, const std::string& name, const std::string& text);

}  // namespace osp::unpack
