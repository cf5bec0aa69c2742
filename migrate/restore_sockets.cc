// Sockets from an image.
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

#include "base/raw_syscall.h"
#include "libosp/file/files.h"
#include "migrate/restore_parts.h"

namespace osp::migrate {
namespace {

constexpr int reset_patience_ms = 1000;

long make(const Socket& s) { return raw::syscall(SYS_socket, s.family, s.type | SOCK_CLOEXEC, s.protocol); }

void set_options(long fd, const Socket& s) {
  for (const SocketOption& option : s.options)
    raw::syscall(SYS_setsockopt, fd, option.level, option.name, option.value.data(), option.value.size());
}

// The socket file of a program that is gone is in the way of its successor.
void remove_stale(const Socket& s) {
  if (s.family != AF_UNIX || s.local.size() <= sizeof(sa_family_t)) return;
  sockaddr_un address = {};
  std::memcpy(&address, s.local.data(), std::min(s.local.size(), sizeof address - 1));
  if (address.sun_path[0] == '\0') return;
  const long probe = raw::syscall(SYS_socket, AF_UNIX, s.type | SOCK_CLOEXEC, 0);
  if (raw::syscall(SYS_connect, probe, s.local.data(), s.local.size()) == -ECONNREFUSED)
    raw::syscall(SYS_unlink, address.sun_path);
  raw::close(static_cast<int>(probe));
}

bool waits_for_accept(const Manifest& manifest, const Description& d) {
  return d.kind == DescriptionKind::socket && d.comeback == Comeback::contents && d.socket.pair != none &&
         manifest.descriptions[d.socket.pair].comeback == Comeback::listen;
}

long make_bound(const Socket& s, bool connects = true) {
  const long fd = make(s);
  if (fd < 0) return fd;
  set_options(fd, s);
  long result = 0;
  if (!s.local.empty()) {
    remove_stale(s);
    result = raw::syscall(SYS_bind, fd, s.local.data(), s.local.size());
  }
  if (result >= 0 && s.backlog >= 0) result = raw::syscall(SYS_listen, fd, s.backlog);
  if (result >= 0 && connects && s.backlog < 0 && !s.peer.empty())
    result = raw::syscall(SYS_connect, fd, s.peer.data(), s.peer.size());
  if (result >= 0) return fd;
  raw::close(static_cast<int>(fd));
  return result;
}

long bind_and_listen_on_loopback(const Socket& s, long listener, sockaddr_storage& address, socklen_t& size) {
  address.ss_family = static_cast<sa_family_t>(s.family);
  if (s.family == AF_INET6) {
    reinterpret_cast<sockaddr_in6&>(address).sin6_addr = in6addr_loopback;
    size = sizeof(sockaddr_in6);
  } else {
    reinterpret_cast<sockaddr_in&>(address).sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    size = sizeof(sockaddr_in);
  }
  if (const long bound = raw::syscall(SYS_bind, listener, &address, size); bound < 0) return bound;
  if (const long result = raw::syscall(SYS_listen, listener, 1); result < 0) return result;
  return raw::syscall(SYS_getsockname, listener, &address, &size);
}

// A TCP socket whose peer has reset it: connected over the loopback to one that is closed with SO_LINGER 0.
long make_reset_tcp(const Socket& s) {
  const long fd = make(s);
  const long listener = make(s);
  if (fd < 0 || listener < 0) return fd < 0 ? fd : listener;
  sockaddr_storage address = {};
  socklen_t size = 0;
  long result = bind_and_listen_on_loopback(s, listener, address, size);
  if (result >= 0) result = raw::syscall(SYS_connect, fd, &address, size);
  if (result >= 0) {
    const long peer = raw::syscall(SYS_accept4, listener, 0, 0, SOCK_CLOEXEC);
    const linger at_once = {1, 0};
    raw::syscall(SYS_setsockopt, peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    raw::close(static_cast<int>(peer));
    pollfd wait = {static_cast<int>(fd), 0, 0};
    const timespec limit = {reset_patience_ms / 1000, 0};
    raw::syscall(SYS_ppoll, &wait, 1, &limit, 0, 8);
  }
  raw::close(static_cast<int>(listener));
  set_options(fd, s);
  return fd;
}

// A unix socket whose peer closed with something unread: that is ECONNRESET there.
long make_reset_unix(const Socket& s) {
  int ends[2] = {-1, -1};
  if (const long made = raw::syscall(SYS_socketpair, AF_UNIX, s.type | SOCK_CLOEXEC, 0, ends); made < 0) return made;
  raw::write(ends[0], "", 1);
  raw::close(ends[1]);
  set_options(ends[0], s);
  return ends[0];
}

long make_pair(const Socket& s, uint32_t other, std::map<uint32_t, int>& others) {
  int ends[2] = {-1, -1};
  if (const long made = raw::syscall(SYS_socketpair, AF_UNIX, s.type | SOCK_CLOEXEC, s.protocol, ends); made < 0)
    return made;
  others[other] = static_cast<int>(file::keep_fd(ends[1]));
  return ends[0];
}

// What `s` had not read yet is written into it from its peer's end.
void fill(int from, const Socket& s) {
  size_t at = 0;
  const auto put = [&](size_t size) {
    const long sent = raw::syscall(SYS_sendto, from, s.received.data() + at, size, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
    at += sent > 0 ? static_cast<size_t>(sent) : s.received.size();
  };
  if (!s.packets.empty()) {
    for (const uint32_t size : s.packets)
      if (at < s.received.size()) put(size);
  } else {
    while (at < s.received.size()) put(s.received.size() - at);
  }
}

}  // namespace

long restore_socket(const Manifest& manifest, uint32_t index, std::map<uint32_t, int>& others) {
  const Description& d = manifest.descriptions[index];
  const Socket& s = d.socket;
  long fd = -1;
  if (const auto made = others.find(index); made != others.end()) {
    fd = made->second;
  } else if (waits_for_accept(manifest, d)) {
    fd = make_bound(s, false);
  } else if (d.comeback == Comeback::contents && s.pair != none) {
    fd = make_pair(s, s.pair, others);
    if (fd >= 0) {
      fill(others[s.pair], s);
      fill(static_cast<int>(fd), manifest.descriptions[s.pair].socket);
    }
  } else if (d.comeback == Comeback::reset) {
    fd = s.family == AF_UNIX ? make_reset_unix(s) : make_reset_tcp(s);
  } else {
    fd = make_bound(s);
  }
  if (fd < 0) return fd;
  if (s.shutdown != 0) raw::syscall(SYS_shutdown, fd, s.shutdown - 1);
  raw::syscall(SYS_fcntl, fd, F_SETFL, d.flags & (O_NONBLOCK | O_ASYNC));
  return fd;
}

long connect_to_listener(const Manifest& manifest, uint32_t index, int fd) {
  const Description& d = manifest.descriptions[index];
  if (!waits_for_accept(manifest, d)) return 0;
  const Bytes& address = manifest.descriptions[d.socket.pair].socket.local;
  return raw::syscall(SYS_connect, fd, address.data(), address.size());
}

}  // namespace osp::migrate
