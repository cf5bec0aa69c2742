#include "libosp/file/numbers.h"

#include <algorithm>
#include <cerrno>

namespace osp::file {

void OwnNumbers::mark(size_t fd, bool close_on_exec) {
  if (fd >= taken_.size()) taken_.resize(fd + 1), close_on_exec_.resize(fd + 1);
  taken_[fd] = true;
  close_on_exec_[fd] = close_on_exec;
  while (first_free_ < taken_.size() && taken_[first_free_]) ++first_free_;
}

long OwnNumbers::take(int lowest, bool close_on_exec) {
  if (lowest < 0 || static_cast<uint64_t>(lowest) >= limit_) return -EINVAL;
  size_t fd = std::max(static_cast<size_t>(lowest), first_free_);
  while (fd < taken_.size() && taken_[fd]) ++fd;
  if (fd >= limit_) return -EMFILE;
  mark(fd, close_on_exec);
  return static_cast<long>(fd);
}

long OwnNumbers::take_at(int fd, bool close_on_exec) {
  if (fd < 0 || static_cast<uint64_t>(fd) >= limit_) return -EBADF;
  mark(static_cast<size_t>(fd), close_on_exec);
  return fd;
}

void OwnNumbers::give_back(int fd) {
  const auto index = static_cast<size_t>(fd);
  if (index >= taken_.size()) return;
  taken_[index] = false;
  first_free_ = std::min(first_free_, index);
}

std::vector<int> OwnNumbers::taken() const {
  std::vector<int> fds;
  for (size_t fd = 0; fd < taken_.size(); ++fd)
    if (taken_[fd]) fds.push_back(static_cast<int>(fd));
  return fds;
}

bool OwnNumbers::closes_on_exec(int fd) const {
  const auto index = static_cast<size_t>(fd);
  return index < taken_.size() && taken_[index] && close_on_exec_[index];
}

void OwnNumbers::set_close_on_exec(int fd, bool close_on_exec) {
  const auto index = static_cast<size_t>(fd);
  if (index < taken_.size()) close_on_exec_[index] = close_on_exec;
}

}  // namespace osp::file
