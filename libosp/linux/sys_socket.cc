// Sockets are the host's. With several threads, whatever may wait is waited for by the scheduler first.
#include <fcntl.h>
#include <sys/socket.h>

#include "libosp/file/files.h"
#include "libosp/linux/calls.h"
#include "libosp/linux/send_whole.h"

namespace osp::linux {
namespace {

long when_ready(Call& c, short events, uint64_t flags) {
  if (c.process.files->find(static_cast<int>(c.a)) != nullptr) return -ENOTSOCK;
  return (flags & MSG_DONTWAIT) != 0 ? forward_blocking(c) : forward_when_ready(c, events);
}

// connect(2) of a blocking socket with other threads to run: started as non-blocking, waited for, asked for.
long connect_to(Call& c) {
  const auto fd = static_cast<int>(c.a);
  if (c.process.single_threaded() || must_not_wait(fd, POLLOUT)) return forward_blocking(c);
  const long flags = raw::syscall(SYS_fcntl, fd, F_GETFL);
  raw::syscall(SYS_fcntl, fd, F_SETFL, flags | O_NONBLOCK);
  long result = forward(c);
  raw::syscall(SYS_fcntl, fd, F_SETFL, flags);
  if (result == -EAGAIN) return call_patiently(c);  // a unix socket's full backlog cannot be polled for
  if (result != -EINPROGRESS && !(result == -EALREADY && c.thread.restarting)) return result;
  if (const long wait = wait_ready(c, fd, POLLOUT); wait != 0) return wait == -EAGAIN ? -EINPROGRESS : wait;
  int error = 0;
  socklen_t size = sizeof error;
  result = raw::syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return result < 0 ? result : -error;
}

bool is_stream(int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  return raw::syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

// Whether the host may take a part and wait for the rest, with threads of ours to run meanwhile.
bool waits_for_room(const Call& c, size_t size, uint64_t flags) {
  const auto fd = static_cast<int>(c.a);
  return size > always_whole && (flags & MSG_DONTWAIT) == 0 && !c.process.single_threaded() && is_stream(fd) &&
         !must_not_wait(fd, POLLOUT);
}

// sendmsg(2) of what is left; control messages go with the first bytes.
long send_message(int fd, msghdr& message, Buffers& left, uint64_t flags) {
  message.msg_iov = left.data(), message.msg_iovlen = left.count();
  const long done = raw::syscall(SYS_sendmsg, fd, &message, flags | MSG_DONTWAIT);
  if (done > 0) message.msg_control = nullptr, message.msg_controllen = 0;
  return done;
}

}  // namespace

// With MSG_WAITALL all of it is waited for, of a stream.
long sys_recvfrom(Call& c) {
  const auto fd = static_cast<int>(c.a);
  const bool whole = (c.d & (MSG_WAITALL | MSG_PEEK | MSG_OOB | MSG_DONTWAIT)) == MSG_WAITALL && c.e == 0;
  if (!whole || c.process.single_threaded() || c.process.files->find(fd) != nullptr || !is_stream(fd) ||
      must_not_wait(fd, POLLIN))
    return when_ready(c, POLLIN, c.d);
  return transfer_whole(c, fd, POLLIN, Buffers({{Call::pointer<void>(c.b), c.c}}), [&](Buffers& left, bool) {
    const iovec rest = left.front(left.size());
    return raw::syscall(SYS_recvfrom, fd, rest.iov_base, rest.iov_len, (c.d & ~MSG_WAITALL) | MSG_DONTWAIT, 0, 0);
  });
}
long sys_recvmsg(Call& c) { return when_ready(c, (c.c & MSG_ERRQUEUE) != 0 ? POLLERR : POLLIN, c.c); }
long sys_recvmmsg(Call& c) { return when_ready(c, POLLIN, c.d); }

long sys_sendto(Call& c) {
  if (!waits_for_room(c, c.c, c.d)) return when_ready(c, POLLOUT, c.d);
  const auto fd = static_cast<int>(c.a);
  msghdr message = {};
  message.msg_name = Call::pointer<void>(c.e), message.msg_namelen = static_cast<socklen_t>(c.f);
  return transfer_whole(c, fd, POLLOUT, Buffers({{Call::pointer<void>(c.b), c.c}}),
                        [&](Buffers& left, bool) { return send_message(fd, message, left, c.d); });
}

long sys_sendmsg(Call& c) {
  const auto fd = static_cast<int>(c.a);
  msghdr message = {};
  if (!get(c.b, message)) return -EFAULT;
  auto buffers = Buffers::at(reinterpret_cast<uint64_t>(message.msg_iov), message.msg_iovlen);
  if (!buffers) return buffers.error().code == EINVAL ? -EMSGSIZE : -EFAULT;
  if (!waits_for_room(c, buffers->size(), c.c)) return when_ready(c, POLLOUT, c.c);
  return transfer_whole(c, fd, POLLOUT, std::move(*buffers),
                        [&](Buffers& left, bool) { return send_message(fd, message, left, c.c); });
}

long sys_sendmmsg(Call& c) { return when_ready(c, POLLOUT, c.d); }
long sys_accept(Call& c) {
  const long fd = when_ready(c, POLLIN, 0);
  if (fd >= 0 && c.nr == SYS_accept4 && (c.d & SOCK_NONBLOCK) != 0)
    c.process.files->mark(static_cast<int>(fd), trap::fd_never_waits);
  return fd;
}

long sys_connect(Call& c) { return with_host_address(c, connect_to); }

}  // namespace osp::linux
