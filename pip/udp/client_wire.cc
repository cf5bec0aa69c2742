#include "pip/udp/client_wire.h"

#include <poll.h>

#include <utility>

#include "base/log.h"

namespace osp::pip::udp {
namespace {

using namespace std::chrono_literals;

constexpr auto finish_within = 1s;

}  // namespace

Result<std::unique_ptr<ClientWire>> DatagramWire::create(const Address& address) {
  OSP_ASSIGN(DatagramSocket socket, DatagramSocket::connect(address));
  OSP_ASSIGN(auto port, DatagramPort::create(std::move(socket)));
  return std::unique_ptr<ClientWire>(new DatagramWire(std::move(port)));
}

DatagramWire::~DatagramWire() {
  if (carrier_ == nullptr) return;
  carrier_->connection().close(0);
  (void)flush();  // if it is lost, the server finds out in time
}

short DatagramWire::events() const { return POLLIN; }

std::chrono::milliseconds DatagramWire::most_silence() const { return carrier_ != nullptr && was_heard() ? 60s : 3s; }

Result<void> DatagramWire::begin(ClientLink& link) {
  link_ = &link;
  carrier_ = std::make_unique<Carrier>(
      Connection::Options{
          .role = Connection::Role::client, .id = random_number(), .most_datagram = port_->socket().most_datagram()},
      Carrier::Above{[&link](std::string_view bytes, std::string& out) { return link.receive(bytes, out); },
                     [&link] { return link.handshake(); }});
  std::string out;
  OSP_TRY(link.connected(out));
  carrier_->send(out);
  return flush();
}

Result<void> DatagramWire::send(std::string& bytes) {
  carrier_->send(bytes);
  return flush();
}

Result<bool> DatagramWire::serve() {
  port_->begin();
  Connection& connection = carrier_->connection();
  const int64_t heard_us = connection.heard_us();
  Result<void> delivered;
  const auto received = port_->socket().receive([&](std::string_view datagram, const PeerAddress& from) {
    connection.receive(datagram, from, DatagramPort::now_us());
    if (delivered && !connection.has_keys()) delivered = carrier_->deliver();  // the next may be sealed
  });
  if (delivered) delivered = carrier_->deliver();
  if (!received && delivered) delivered = note_trouble(received.error());
  if (auto flushed = flush(); delivered) delivered = flushed;
  if (!delivered) return std::unexpected(delivered.error());
  if (connection.broken()) return std::unexpected(*connection.broken());
  return connection.heard_us() != heard_us;
}

Result<void> DatagramWire::flush() {
  Connection& connection = carrier_->connection();
  if (std::exchange(probes_seen_, connection.probes()) < connection.probes()) follow_address(false);
  auto sent = port_->socket().flush();
  std::string datagram;
  PeerAddress to;
  while (sent && *sent && connection.next_datagram(DatagramPort::now_us(), datagram, to)) {
    // What is ready goes together, as far as the kernel joins it.
    do port_->socket().put(std::exchange(datagram, {}), to);
    while (connection.next_datagram(DatagramPort::now_us(), datagram, to));
    sent = port_->socket().flush();
  }
  is_full_ = sent && !*sent;
  port_->rest(is_full_ ? INT64_MAX : connection.deadline_us(), is_full_);
  return sent ? Result<void>{} : note_trouble(sent.error());
}

// None of it ends a connection that had been there: anybody can say that nobody is.
Result<void> DatagramWire::note_trouble(Error error) {
  if (error.code == ECONNREFUSED) {
    if (!was_heard()) return std::unexpected(error);
    carrier_->connection().hurry();
  } else {
    log::debug("pip", "udp: {}", describe(error));
    follow_address(true);
  }
  port_->rest(carrier_->connection().deadline_us(), is_full_);
  return {};
}

// Looks which address leads to the server now.
void DatagramWire::follow_address(bool is_broken) {
  auto other = port_->socket().again();
  if (!other || (!is_broken && other->own_host() == port_->socket().own_host())) return;
  const size_t most = other->most_datagram();
  if (port_->change(std::move(*other))) carrier_->connection().path_has_changed(most);
}

void DatagramWire::finish() {
  const auto until = std::chrono::steady_clock::now() + finish_within;
  while (carrier_->connection().unacknowledged() > 0 && std::chrono::steady_clock::now() < until) {
    pollfd one{.fd = fd(), .events = POLLIN, .revents = 0};
    if (poll(&one, 1, 100) > 0 && !serve()) return;
  }
}

}  // namespace osp::pip::udp
