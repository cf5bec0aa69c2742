#pragma once

#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "pip/host_walk.h"
#include "pip/udp/path.h"
#include "pip/url.h"

namespace osp::pip::udp {

// A UDP socket: non-blocking, close-on-exec, many datagrams a system call, never fragmented on the way.
class DatagramSocket {
 public:
  // Of a client: for one server alone. Blocks while name servers are asked. EHOSTUNREACH (also: no such name),
  // ENETUNREACH.
  static Result<DatagramSocket> connect(const Address& address);
  // Of a server. With port 0, `address.port` is set to the one chosen. EADDRINUSE, EADDRNOTAVAIL, EACCES.
  static Result<DatagramSocket> bind(Address& address);
  // Another one to the same server, from whatever address leads there now.
  [[nodiscard]] Result<DatagramSocket> again() const;

  [[nodiscard]] int fd() const { return fd_.get(); }
  // This end's address, without its port.
  [[nodiscard]] std::string own_host() const;
  // What the interface takes that leads to the server; of a server's, what any does.
  [[nodiscard]] size_t most_datagram() const;

  // Calls `take` for some of what has arrived. ECONNREFUSED: somebody says that nobody is there.
  Result<void> receive(const std::function<void(std::string_view datagram, const PeerAddress& from)>& take);
  // Queues one; flush() sends.
  void put(std::string datagram, PeerAddress to);
  // False: the socket takes no more now. An error is of the network (ENETUNREACH, ECONNREFUSED…); what was queued is
  // lost.
  Result<bool> flush();

 private:
  struct Queued {
    std::string datagram;
    PeerAddress to;
  };
  static Result<DatagramSocket> make(int family, const PeerAddress& peer);
  [[nodiscard]] size_t run_length(size_t from) const;
  Result<size_t> send_some();

  HostFd fd_;
  PeerAddress peer_;  // empty: a server's
  std::deque<Queued> queue_;
  bool joins_ = true;  // datagrams of one size go to the kernel as one (UDP_SEGMENT)
};

}  // namespace osp::pip::udp
