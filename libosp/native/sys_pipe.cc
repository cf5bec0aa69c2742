// pipe(2) natively.
#include "libosp/device/pipe.h"
#include "libosp/native/calls.h"

namespace osp::native {

long sys_pipe(Call& c) {
  const int flags = c.nr == SYS_pipe2 ? static_cast<int>(c.b) : 0;
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) != 0) return -EINVAL;  // packets (O_DIRECT): docs/caveats.md
  file::Files& files = *c.process.files;
  auto [reader, writer] = device::make_pipe(flags & O_NONBLOCK);
  const bool close_on_exec = (flags & O_CLOEXEC) != 0;
  const long read_fd = files.install(std::move(reader), close_on_exec);
  if (read_fd < 0) return read_fd;
  const long write_fd = files.install(std::move(writer), close_on_exec);
  const int fds[2] = {static_cast<int>(read_fd), static_cast<int>(write_fd)};
  if (write_fd >= 0 && linux::put(c.a, fds)) return 0;
  files.close(fds[0]);
  if (write_fd >= 0) files.close(fds[1]);
  return write_fd < 0 ? write_fd : -EFAULT;
}

}  // namespace osp::native
