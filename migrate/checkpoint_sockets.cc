// Sockets for an image: listening ones listen again, pairs inside the process travel, the others are reset.
#include <fmt/format.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

#include "base/raw_syscall.h"
#include "migrate/checkpoint_parts.h"

namespace osp::migrate {
namespace {

struct Known {
  int level, name;
};
// What programs set and expect to find again. Buffer sizes come back doubled by the kernel, so they are left alone.
constexpr std::array<Known, 9> kept_options = {{{SOL_SOCKET, SO_REUSEADDR},
                                                {SOL_SOCKET, SO_REUSEPORT},
                                                {SOL_SOCKET, SO_KEEPALIVE},
                                                {SOL_SOCKET, SO_BROADCAST},
                                                {SOL_SOCKET, SO_PASSCRED},
                                                {SOL_SOCKET, SO_LINGER},
                                                {IPPROTO_IPV6, IPV6_V6ONLY},
                                                {IPPROTO_TCP, TCP_NODELAY},
                                                {IPPROTO_TCP, TCP_DEFER_ACCEPT}}};
constexpr int unix_backlog = 4096;  // the host does not tell: as many as it allows

int option_of(int fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  return raw::syscall(SYS_getsockopt, fd, level, name, &value, &size) < 0 ? 0 : value;
}

Bytes address_of(long call, int fd) {
  sockaddr_storage storage = {};
  socklen_t size = sizeof storage;
  if (raw::syscall(call, fd, &storage, &size) < 0) return {};
  const auto* start = reinterpret_cast<const std::byte*>(&storage);
  return Bytes(start, start + std::min<size_t>(size, sizeof storage));
}

bool is_inet(const Socket& s) { return s.family == AF_INET || s.family == AF_INET6; }

// Whether an address says more than its family: a port, a path.
bool is_bound(const Socket& s) {
  if (s.local.size() <= sizeof(sa_family_t)) return false;
  if (!is_inet(s)) return true;
  uint16_t port = 0;
  std::memcpy(&port, s.local.data() + sizeof(sa_family_t), sizeof port);
  return port != 0;
}

int backlog_of(int fd, const Socket& s) {
  if (!is_inet(s)) return unix_backlog;
  tcp_info info = {};
  socklen_t size = sizeof info;
  const bool known = raw::syscall(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0;
  return known && info.tcpi_sacked != 0 ? static_cast<int>(info.tcpi_sacked) : unix_backlog;
}

void keep_options(int fd, Socket& s) {
  for (const Known& option : kept_options) {
    Bytes value(sizeof(linger));
    auto size = static_cast<socklen_t>(value.size());
    if (raw::syscall(SYS_getsockopt, fd, option.level, option.name, value.data(), &size) < 0) continue;
    value.resize(size);
    if (std::any_of(value.begin(), value.end(), [](std::byte b) { return b != std::byte{0}; }))
      s.options.push_back({option.level, option.name, std::move(value)});
  }
}

// What waits to be read in a pair, left where it is: peeked at from a moving offset (socket(7), SO_PEEK_OFF).
void keep_received(int fd, Socket& s) {
  int start = 0, off = -1;
  const bool stream = s.type == SOCK_STREAM;
  if (raw::syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_PEEK_OFF, &start, sizeof start) < 0) return;
  Bytes piece(256 * 1024);
  for (;;) {
    const long size = raw::syscall(SYS_recvfrom, fd, piece.data(), piece.size(), MSG_PEEK | MSG_DONTWAIT, 0, 0);
    if (size <= 0) break;
    s.received.insert(s.received.end(), piece.begin(), piece.begin() + size);
    if (!stream) s.packets.push_back(static_cast<uint32_t>(size));
  }
  raw::syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof off);
}

}  // namespace

Result<void> capture_socket(Capture& c, int fd, Description& d) {
  Socket& s = d.socket;
  s.family = option_of(fd, SOL_SOCKET, SO_DOMAIN);
  s.type = option_of(fd, SOL_SOCKET, SO_TYPE);
  s.protocol = option_of(fd, SOL_SOCKET, SO_PROTOCOL);
  s.local = address_of(SYS_getsockname, fd);
  s.peer = address_of(SYS_getpeername, fd);
  keep_options(fd, s);
  const bool stream = s.type == SOCK_STREAM || s.type == SOCK_SEQPACKET;
  if (option_of(fd, SOL_SOCKET, SO_ACCEPTCONN) != 0) {
    d.comeback = Comeback::listen;
    s.backlog = backlog_of(fd, s);
    c.note(fd, "listening socket: listens again", false);
  } else if (!s.peer.empty() && (stream || s.family == AF_UNIX)) {
    d.comeback = Comeback::reset;  // or a pair's end, which is found out later
    if (s.family == AF_UNIX) keep_received(fd, s);
  } else if (s.family == AF_INET || s.family == AF_INET6 || s.family == AF_UNIX || s.family == AF_NETLINK) {
    const bool lost = s.family == AF_INET || s.family == AF_INET6 ? stream && is_bound(s) && s.peer.empty() : false;
    d.comeback = Comeback::contents;
    if (lost) c.note(fd, "socket: bound again; if it was about to connect, it is not any more", false);
  } else {
    c.note(fd, fmt::format("socket of family {} cannot be brought back", s.family), true);
  }
  if (!is_bound(s)) s.local.clear();
  return {};
}

namespace {

// What one socket's attributes say: its peer, and as a listening one those that wait to be accepted.
void take_peers(const unix_diag_msg& message, size_t size, std::map<uint64_t, uint64_t>& peers) {
  const auto* start = reinterpret_cast<const char*>(&message);
  for (size_t at = NLMSG_ALIGN(sizeof message); at + sizeof(nlattr) <= size;) {
    nlattr attribute = {};
    std::memcpy(&attribute, start + at, sizeof attribute);
    if (attribute.nla_len < sizeof attribute) break;
    const bool is_peer = attribute.nla_type == UNIX_DIAG_PEER, is_waiting = attribute.nla_type == UNIX_DIAG_ICONS;
    for (size_t word = at + sizeof attribute; word + 4 <= std::min(size, at + attribute.nla_len); word += 4) {
      uint32_t inode = 0;
      std::memcpy(&inode, start + word, sizeof inode);
      if (is_peer && inode != 0) peers[message.udiag_ino] = inode;
      if (is_waiting && inode != 0) peers[inode] = message.udiag_ino;
    }
    at += NLMSG_ALIGN(attribute.nla_len);
  }
}

}  // namespace

// sock_diag(7): every unix socket of this network name space that has one, with its peer.
std::map<uint64_t, uint64_t> unix_peers() {
  std::map<uint64_t, uint64_t> peers;
  const long fd = raw::syscall(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0) return peers;
  struct {
    nlmsghdr head;
    unix_diag_req request;
  } ask = {};
  ask.head.nlmsg_len = sizeof ask;
  ask.head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  ask.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  ask.request.sdiag_family = AF_UNIX;
  ask.request.udiag_states = ~0U;
  ask.request.udiag_show = UDIAG_SHOW_PEER | UDIAG_SHOW_ICONS;
  bool more = raw::syscall(SYS_sendto, fd, &ask, sizeof ask, 0, 0, 0) > 0;
  alignas(nlmsghdr) std::array<char, 32768> buffer;
  while (more) {
    long size = raw::syscall(SYS_recvfrom, fd, buffer.data(), buffer.size(), 0, 0, 0);
    if (size == -EINTR) continue;
    if (size <= 0) break;
    for (auto* head = reinterpret_cast<nlmsghdr*>(buffer.data()); NLMSG_OK(head, size); head = NLMSG_NEXT(head, size)) {
      if (head->nlmsg_type == NLMSG_DONE || head->nlmsg_type == NLMSG_ERROR) more = false;
      if (head->nlmsg_type != SOCK_DIAG_BY_FAMILY) continue;
      const auto* message = static_cast<const unix_diag_msg*>(NLMSG_DATA(head));
      take_peers(*message, NLMSG_PAYLOAD(head, 0), peers);
    }
  }
  raw::close(static_cast<int>(fd));
  return peers;
}

}  // namespace osp::migrate
