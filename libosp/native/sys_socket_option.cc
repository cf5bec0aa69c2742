// getsockopt(2) and setsockopt(2) natively: socket(7) of unix sockets.
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>

#include "libosp/native/calls.h"
#include "libosp/native/socket_call.h"

namespace osp::native {
namespace {

using device::UnixSocket;

constexpr int64_t second_ns = 1'000'000'000;
constexpr size_t least_buffer = 4608, most_buffer = 212992;  // of the option; kept doubled, as Linux does

long put_option(const Call& c, const void* value, size_t size) {
  int room = 0;
  if (!linux::get(c.e, room)) return -EFAULT;
  if (room < 0) return -EINVAL;
  const auto part = static_cast<socklen_t>(std::min<size_t>(static_cast<size_t>(room), size));
  return osp_user_copy(Call::pointer<void>(c.d), value, part) == 0 && linux::put(c.e, part) ? 0 : -EFAULT;
}

long put_int(const Call& c, int value) { return put_option(c, &value, sizeof value); }

long put_timeout(const Call& c, int64_t ns) {
  const timeval value = {ns / second_ns, ns % second_ns / 1000};
  return put_option(c, &value, sizeof value);
}

long take_timeout(const Call& c, int64_t& ns) {
  timeval value = {};
  if (static_cast<uint32_t>(c.e) < sizeof value) return -EINVAL;
  if (!linux::get(c.d, value)) return -EFAULT;
  if (value.tv_usec < 0 || value.tv_usec >= 1'000'000) return -EDOM;
  constexpr int64_t forever = 1'000'000'000;
  ns = value.tv_sec < 0 || value.tv_sec > forever ? 0 : value.tv_sec * second_ns + value.tv_usec * 1000;
  return 0;
}

}  // namespace

long sys_getsockopt(Call& c) {
  OSP_ASSIGN_OR_ERRNO(const auto socket, socket_of(c));
  if (c.b != SOL_SOCKET) return -EOPNOTSUPP;
  switch (c.c) {
    case SO_TYPE:
      return put_int(c, socket->type());
    case SO_DOMAIN:
      return put_int(c, AF_UNIX);
    case SO_ERROR:
      return put_int(c, socket->take_error());
    case SO_ACCEPTCONN:
      return put_int(c, socket->is_listening() ? 1 : 0);
    case SO_PASSCRED:
      return put_int(c, socket->passes_credentials ? 1 : 0);
    case SO_SNDBUF:
    case SO_RCVBUF:
      return put_int(c, static_cast<int>(socket->buffer_size));
    case SO_RCVTIMEO:
      return put_timeout(c, socket->receive_timeout_ns);
    case SO_SNDTIMEO:
      return put_timeout(c, socket->send_timeout_ns);
    case SO_PEERCRED: {
      const ucred none = {0, ~uid_t{0}, ~gid_t{0}};
      return put_option(c, socket->is_connected() ? &socket->peer_owner() : &none, sizeof none);
    }
    case SO_LINGER: {
      const linger none = {};
      return put_option(c, &none, sizeof none);
    }
    case SO_PROTOCOL:
    case SO_REUSEADDR:
    case SO_REUSEPORT:
    case SO_KEEPALIVE:
    case SO_BROADCAST:
    case SO_OOBINLINE:
    case SO_DONTROUTE:
    case SO_PRIORITY:
      return put_int(c, 0);
    case SO_RCVLOWAT:
    case SO_SNDLOWAT:
      return put_int(c, 1);
    default:
      return -ENOPROTOOPT;
  }
}

long sys_setsockopt(Call& c) {
  OSP_ASSIGN_OR_ERRNO(const auto socket, socket_of(c));
  if (c.b != SOL_SOCKET) return -EOPNOTSUPP;
  if (c.c == SO_RCVTIMEO) return take_timeout(c, socket->receive_timeout_ns);
  if (c.c == SO_SNDTIMEO) return take_timeout(c, socket->send_timeout_ns);
  int value = 0;
  if (static_cast<uint32_t>(c.e) < sizeof value) return -EINVAL;
  if (!linux::get(c.d, value)) return -EFAULT;
  switch (c.c) {
    case SO_PASSCRED:
      socket->passes_credentials = value != 0;
      return 0;
    case SO_SNDBUF:
    case SO_SNDBUFFORCE:
      socket->buffer_size = std::max(least_buffer, std::min(static_cast<size_t>(std::max(value, 0)), most_buffer) * 2);
      return 0;
    case SO_RCVBUF:  // what waits counts against its sender
    case SO_RCVBUFFORCE:
    case SO_REUSEADDR:
    case SO_REUSEPORT:
    case SO_KEEPALIVE:
    case SO_BROADCAST:
    case SO_OOBINLINE:
    case SO_DONTROUTE:
    case SO_PRIORITY:
    case SO_LINGER:
    case SO_RCVLOWAT:
      return 0;  // nothing of it concerns a unix socket
    default:
      return -ENOPROTOOPT;
  }
}

}  // namespace osp::native
