#include "pip/udp/server_socket.h"

#include <utility>

#include "base/log.h"

namespace osp::pip::udp {
namespace {

constexpr unsigned rounds_at_once = 64;  // then others have their turn

}  // namespace

Result<std::unique_ptr<ServerSocket>> ServerSocket::create(SessionServer& server, const Doorkeeper& doorkeeper,
                                                           DatagramSocket socket) {
  OSP_ASSIGN(auto port, DatagramPort::create(std::move(socket)));
  return std::unique_ptr<ServerSocket>(new ServerSocket(server, doorkeeper, std::move(port)));
}

void ServerSocket::serve() {
  port_->begin();
  const auto received = port_->socket().receive([&](std::string_view datagram, const PeerAddress& from) {
    server_.receive(datagram, from, DatagramPort::now_us());
  });
  if (!received) log::debug("pipd", "udp: {}", describe(received.error()));  // of what was sent to one peer
  flush();
}

void ServerSocket::take_output(const std::vector<uint64_t>& ids) {
  server_.take_output(ids, DatagramPort::now_us());
  flush();
}

void ServerSocket::look_after() {
  server_.look_after(DatagramPort::now_us());
  flush();
}

void ServerSocket::flush() {
  auto sent = port_->socket().flush();
  std::string datagram;
  PeerAddress to;
  for (unsigned round = 0; (!sent || *sent) && round < rounds_at_once; ++round) {
    unsigned count = 0;
    for (; count < rounds_at_once && server_.next_datagram(DatagramPort::now_us(), datagram, to); ++count)
      port_->socket().put(std::exchange(datagram, {}), to);
    if (count == 0) break;
    sent = port_->socket().flush();
    if (!sent) log::debug("pipd", "udp: {}", describe(sent.error()));  // as if it had been lost
  }
  const bool is_full = sent && !*sent;
  port_->rest(is_full ? INT64_MAX : server_.deadline_us(), is_full);
}

}  // namespace osp::pip::udp
