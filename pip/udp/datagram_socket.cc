#include "pip/udp/datagram_socket.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <vector>

#include "pip/stream_socket.h"
#include "pip/udp/packet.h"

namespace osp::pip::udp {
namespace {

constexpr size_t batch = 16;
constexpr unsigned batches_at_once = 4;
constexpr size_t most_joined = 60'000, most_joined_count = 60;  // what UDP_SEGMENT takes
constexpr int buffer_size = 4 << 20;                            // as far as the system lets us

const sockaddr* generic(const PeerAddress& address) { return reinterpret_cast<const sockaddr*>(address.data()); }
PeerAddress peer_address(const void* address, size_t size) { return {static_cast<const char*>(address), size}; }

void set(int fd, int level, int option, int value) { setsockopt(fd, level, option, &value, sizeof value); }

// As recvmmsg(2) wants them; one thread of a process receives.
struct Incoming {
  std::array<std::array<char, 65536>, batch> bytes;
  std::array<sockaddr_storage, batch> from;
  std::array<std::array<char, CMSG_SPACE(sizeof(int))>, batch> control;
  std::array<iovec, batch> vectors;
  std::array<mmsghdr, batch> messages;

  void prepare() {
    for (size_t i = 0; i < batch; ++i) {
      vectors[i] = {.iov_base = bytes[i].data(), .iov_len = bytes[i].size()};
      messages[i] = {};
      messages[i].msg_hdr = {.msg_name = &from[i],
                             .msg_namelen = sizeof from[i],
                             .msg_iov = &vectors[i],
                             .msg_iovlen = 1,
                             .msg_control = control[i].data(),
                             .msg_controllen = control[i].size(),
                             .msg_flags = 0};
    }
  }
  // How large the datagrams are that the kernel has joined (UDP_GRO).
  [[nodiscard]] static size_t part_size(msghdr& message, size_t whole) {
    for (cmsghdr* one = CMSG_FIRSTHDR(&message); one != nullptr; one = CMSG_NXTHDR(&message, one)) {
      if (one->cmsg_level != SOL_UDP || one->cmsg_type != UDP_GRO) continue;
      int size = 0;
      std::copy_n(CMSG_DATA(one), sizeof size, reinterpret_cast<unsigned char*>(&size));
      return size > 0 ? static_cast<size_t>(size) : whole;
    }
    return whole;
  }
};

}  // namespace

Result<DatagramSocket> DatagramSocket::make(int family, const PeerAddress& peer) {
  DatagramSocket made;
  made.fd_ = HostFd(socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int fd = made.fd();
  if (fd < 0) return fail(errno);
  made.peer_ = peer;
  for (const int option : {SO_RCVBUF, SO_SNDBUF}) set(fd, SOL_SOCKET, option, buffer_size);
  set(fd, SOL_SOCKET, SO_RCVBUFFORCE, buffer_size);  // for root
  // Never fragmented, whatever others say about the path: we try it out.
  if (family == AF_INET6) set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
  set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
  set(fd, SOL_UDP, UDP_GRO, 1);
  if (!peer.empty() && ::connect(fd, generic(peer), static_cast<socklen_t>(peer.size())) != 0) return fail(errno);
  return made;
}

Result<DatagramSocket> DatagramSocket::connect(const Address& address) {
  OSP_ASSIGN(const AddressList list, resolve(address, SOCK_DGRAM, 0));
  Result<DatagramSocket> made = fail(EHOSTUNREACH);
  for (const addrinfo* one = list.get(); one != nullptr && !made; one = one->ai_next)
    made = make(one->ai_family, peer_address(one->ai_addr, one->ai_addrlen));
  return made;
}

Result<DatagramSocket> DatagramSocket::bind(Address& address) {
  OSP_ASSIGN(const AddressList list, resolve(address, SOCK_DGRAM, AI_PASSIVE));
  OSP_ASSIGN(DatagramSocket made, make(list->ai_family, {}));
  if (::bind(made.fd(), list->ai_addr, list->ai_addrlen) != 0) return fail(errno);
  address.port = bound_port(made.fd());
  return made;
}

Result<DatagramSocket> DatagramSocket::again() const { return make(generic(peer_)->sa_family, peer_); }

std::string DatagramSocket::own_host() const {
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  if (getsockname(fd(), reinterpret_cast<sockaddr*>(&own), &size) != 0) return {};  // as getsockname(2) wants it
  if (own.ss_family == AF_INET) return peer_address(&reinterpret_cast<sockaddr_in*>(&own)->sin_addr, sizeof(in_addr));
  return peer_address(&reinterpret_cast<sockaddr_in6*>(&own)->sin6_addr, sizeof(in6_addr));
}

size_t DatagramSocket::most_datagram() const {
  if (peer_.empty()) return udp::most_datagram;
  const bool is_v6 = generic(peer_)->sa_family == AF_INET6;
  const size_t heads = (is_v6 ? 40 : 20) + 8;
  int mtu = 0;
  socklen_t size = sizeof mtu;
  if (getsockopt(fd(), is_v6 ? IPPROTO_IPV6 : IPPROTO_IP, is_v6 ? IPV6_MTU : IP_MTU, &mtu, &size) != 0)
    return base_datagram;
  return std::clamp<size_t>(static_cast<size_t>(std::max(mtu, 0)), base_datagram + heads, udp::most_datagram) - heads;
}

Result<void> DatagramSocket::receive(const std::function<void(std::string_view, const PeerAddress&)>& take) {
  static Incoming incoming;
  for (unsigned i = 0; i < batches_at_once; ++i) {
    incoming.prepare();
    const int count = recvmmsg(fd(), incoming.messages.data(), batch, MSG_DONTWAIT, nullptr);
    if (count < 0) return errno == EAGAIN || errno == EINTR ? Result<void>{} : fail(errno);
    for (size_t k = 0; k < static_cast<size_t>(count); ++k) {
      mmsghdr& message = incoming.messages[k];
      const PeerAddress from =
          peer_.empty() ? peer_address(&incoming.from[k], message.msg_hdr.msg_namelen) : PeerAddress();
      const std::string_view all(incoming.bytes[k].data(), message.msg_len);
      const size_t size = Incoming::part_size(message.msg_hdr, all.size());
      for (size_t at = 0; at < all.size(); at += size) take(all.substr(at, size), from);
    }
    if (static_cast<size_t>(count) < batch) return {};
  }
  return {};
}

void DatagramSocket::put(std::string datagram, PeerAddress to) {
  queue_.push_back({std::move(datagram), std::move(to)});
}

// How many from there on go as one message: of one size, but the last may be shorter.
size_t DatagramSocket::run_length(size_t from) const {
  const Queued& first = queue_[from];
  size_t size = first.datagram.size(), count = 1;
  while (joins_ && from + count < queue_.size() && count < most_joined_count) {
    const Queued& next = queue_[from + count];
    size += next.datagram.size();
    if (next.to != first.to || next.datagram.size() > first.datagram.size() || size > most_joined) break;
    ++count;
    if (next.datagram.size() < first.datagram.size()) break;
  }
  return count;
}

// Sends one message; how many datagrams that were.
Result<size_t> DatagramSocket::send_some() {
  std::array<iovec, most_joined_count> parts;
  const size_t count = run_length(0);
  for (size_t i = 0; i < count; ++i)
    parts[i] = {.iov_base = queue_[i].datagram.data(), .iov_len = queue_[i].datagram.size()};
  PeerAddress& to = queue_.front().to;
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = count;
  if (!to.empty()) message.msg_name = to.data(), message.msg_namelen = static_cast<socklen_t>(to.size());
  std::array<char, CMSG_SPACE(sizeof(uint16_t))> control{};
  if (count > 1) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const head = CMSG_FIRSTHDR(&message);
    *head = {.cmsg_len = CMSG_LEN(sizeof(uint16_t)), .cmsg_level = SOL_UDP, .cmsg_type = UDP_SEGMENT};
    const auto size = static_cast<uint16_t>(parts[0].iov_len);
    std::copy_n(reinterpret_cast<const char*>(&size), sizeof size, reinterpret_cast<char*>(CMSG_DATA(head)));
  }
  if (sendmsg(fd(), &message, MSG_NOSIGNAL) >= 0) return count;
  if (count > 1 && (errno == EIO || errno == EINVAL)) return joins_ = false, size_t{0};  // this kernel or device cannot
  if (errno == EMSGSIZE) return count;                                                   // as one that got lost
  return fail(errno);
}

Result<bool> DatagramSocket::flush() {
  Result<bool> outcome = true;
  while (!queue_.empty()) {
    const auto sent = send_some();
    if (!sent && sent.error().code == EINTR) continue;
    if (!sent && sent.error().code == EAGAIN) return outcome ? false : outcome;
    if (!sent && sent.error().code == ECONNREFUSED && outcome) {  // of something before; this was not sent
      outcome = std::unexpected(sent.error());
      continue;
    }
    if (!sent) return queue_.clear(), std::unexpected(sent.error());
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(*sent));
  }
  return outcome;
}

}  // namespace osp::pip::udp
