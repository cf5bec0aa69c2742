#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "pip/secure/client_link.h"

namespace osp::pip {

// A connection below a ClientLink, over whatever carries it. For event loops: nothing but connect() and finish()
// blocks.
class ClientWire {
 public:
  virtual ~ClientWire() = default;

  // Within `timeout_ms`, where that can be told. ECONNREFUSED, ENOENT (unix), ETIMEDOUT, EHOSTUNREACH, ENAMETOOLONG.
  static Result<std::unique_ptr<ClientWire>> connect(const Address& address, int timeout_ms);

  // To be watched for events() (poll(2)), and then to be served.
  [[nodiscard]] virtual int fd() const = 0;
  [[nodiscard]] virtual short events() const = 0;
  // Begins the link's connection; the link is the caller's and outlives this.
  virtual Result<void> begin(ClientLink& link) = 0;
  // Takes what has arrived to the link, and sends. Whether the server was heard. An error ends the connection; those of
  // ClientLink::receive() among them.
  virtual Result<bool> serve() = 0;
  // Sends what the link has appended to `bytes`, and empties it. An error ends the connection.
  virtual Result<void> send(std::string& bytes) = 0;
  // Waits, not for long, until what was sent last is sure to arrive; nothing more will be sent.
  virtual void finish() = 0;
  // A connection that is silent for longer in spite of probes is of no use.
  [[nodiscard]] virtual std::chrono::milliseconds most_silence() const = 0;
};

}  // namespace osp::pip
