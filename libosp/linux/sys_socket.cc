// Sockets are the host's. With several threads, whatever may wait is waited for by the scheduler first.
#include <fcntl.h>
#include <sys/socket.h>

#include "libosp/file/files.h"
#include "libosp/linux/calls.h"

namespace osp::linux {
namespace {

long when_ready(Call& c, short events, uint64_t flags) {
  if ((flags & MSG_DONTWAIT) == 0)
    if (const long wait = wait_ready(c, static_cast<int>(c.a), events); wait != 0) return wait;
  return forward_fd_blocking(c);
}

// connect(2) of a blocking socket with other threads to run: started as non-blocking, waited for, asked for.
long connect_to(Call& c) {
  const auto fd = static_cast<int>(c.a);
  if (c.process.single_threaded() || must_not_wait(fd)) return forward_blocking(c);
  const long flags = raw::syscall(SYS_fcntl, fd, F_GETFL);
  raw::syscall(SYS_fcntl, fd, F_SETFL, flags | O_NONBLOCK);
  long result = forward(c);
  raw::syscall(SYS_fcntl, fd, F_SETFL, flags);
  if (result == -EAGAIN) return call_patiently(c);  // a unix socket's full backlog cannot be polled for
  if (result != -EINPROGRESS && !(result == -EALREADY && c.thread.restarting)) return result;
  if (const long wait = wait_ready(c, fd, POLLOUT); wait != 0) return wait;
  int error = 0;
  socklen_t size = sizeof error;
  result = raw::syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return result < 0 ? result : -error;
}

}  // namespace

long sys_recvfrom(Call& c) { return when_ready(c, POLLIN, c.d); }
long sys_recvmsg(Call& c) { return when_ready(c, (c.c & MSG_ERRQUEUE) != 0 ? POLLERR : POLLIN, c.c); }
long sys_recvmmsg(Call& c) { return when_ready(c, POLLIN, c.d); }
long sys_sendto(Call& c) { return when_ready(c, POLLOUT, c.d); }
long sys_sendmsg(Call& c) { return when_ready(c, POLLOUT, c.c); }
long sys_sendmmsg(Call& c) { return when_ready(c, POLLOUT, c.d); }
long sys_accept(Call& c) { return when_ready(c, POLLIN, 0); }

long sys_connect(Call& c) { return with_host_address(c, connect_to); }

}  // namespace osp::linux
