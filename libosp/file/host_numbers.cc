#include "libosp/file/host_numbers.h"

#include <fcntl.h>

#include "base/raw_syscall.h"
#include "libosp/file/files.h"

namespace osp::file {

// A regular file: always ready to poll(2), refused by epoll(7), as the files that it stands for.
long HostNumbers::take(int lowest, bool close_on_exec) {
  const long made = raw::syscall(SYS_memfd_create, "osp", close_on_exec ? 1 : 0);
  if (made < lowest && made >= 0) {
    const long moved = raw::syscall(SYS_fcntl, made, close_on_exec ? F_DUPFD_CLOEXEC : F_DUPFD, lowest);
    raw::close(static_cast<int>(made));
    return moved;
  }
  return made;
}

long HostNumbers::take_at(int fd, bool close_on_exec) {
  const long holder = take(0, true);
  if (holder < 0) return holder;
  const long result = raw::syscall(SYS_dup3, holder, fd, close_on_exec ? O_CLOEXEC : 0);
  raw::close(static_cast<int>(holder));
  return result;
}

void HostNumbers::give_back(int fd) { raw::close(fd); }

std::vector<int> HostNumbers::taken() const {
  std::vector<int> fds = open_fds();
  std::erase_if(fds, is_core_fd);
  return fds;
}

bool HostNumbers::closes_on_exec(int fd) const {
  const long flags = raw::syscall(SYS_fcntl, fd, F_GETFD);
  return flags >= 0 && (flags & FD_CLOEXEC) != 0;
}

void HostNumbers::set_close_on_exec(int fd, bool close_on_exec) {
  raw::syscall(SYS_fcntl, fd, F_SETFD, close_on_exec ? FD_CLOEXEC : 0);
}

}  // namespace osp::file
