#pragma once

#include "pip/client_wire.h"
#include "pip/udp/carrier.h"
#include "pip/udp/datagram_port.h"

namespace osp::pip::udp {

// A client's connection over UDP. When the machine's address changes, it goes on from the new one.
class DatagramWire final : public ClientWire {
 public:
  // As DatagramSocket::connect(); whether anybody is there shows later.
  static Result<std::unique_ptr<ClientWire>> create(const Address& address);
  ~DatagramWire() override;

  [[nodiscard]] int fd() const override { return port_->fd(); }
  [[nodiscard]] short events() const override;
  Result<void> begin(ClientLink& link) override;
  // ECONNREFUSED: nobody is there, and nobody was. ECONNRESET: the server does not know this connection any more.
  Result<bool> serve() override;
  Result<void> send(std::string& bytes) override;
  void finish() override;
  // Outages may be long; but once in a while it is better to ask for the server's address again.
  [[nodiscard]] std::chrono::milliseconds most_silence() const override;

 private:
  explicit DatagramWire(std::unique_ptr<DatagramPort> port) : port_(std::move(port)) {}
  [[nodiscard]] bool was_heard() const { return carrier_->connection().is_confirmed(); }
  Result<void> flush();
  Result<void> note_trouble(Error error);
  void follow_address(bool is_broken);

  std::unique_ptr<DatagramPort> port_;
  std::unique_ptr<Carrier> carrier_;
  ClientLink* link_ = nullptr;
  bool is_full_ = false;  // the socket takes no more now
  unsigned probes_seen_ = 0;
};

}  // namespace osp::pip::udp
