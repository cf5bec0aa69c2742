#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "pip/secure/sealed_stream.h"
#include "pip/udp/connection.h"

namespace osp::pip::udp {

// A connection below a handshake and what comes after it (Sealing::by_transport): tells them which bytes are whose.
class Carrier {
 public:
  struct Above {
    // As SealedClient's and SealedServer's receive(), for what is above them.
    std::function<Result<void>(std::string_view bytes, std::string& out)> receive;
    std::function<const HandshakeProgress*()> progress;  // null: there is none
  };
  Carrier(Connection::Options options, Above above) : connection_(std::move(options)), above_(std::move(above)) {}

  // Sends what is above has appended to `out`, and empties that.
  void send(std::string& out);
  // Gives what has arrived to what is above; its error, when what it said before it is sent.
  Result<void> deliver();
  [[nodiscard]] Connection& connection() { return connection_; }
  [[nodiscard]] const Connection& connection() const { return connection_; }

 private:
  Result<void> give(std::string_view bytes);

  Connection connection_;
  Above above_;
  std::string taken_;           // that is being given; kept for its memory
  size_t sent_ = 0;             // bytes of the handshake
  bool has_confirmed_ = false;  // it is known above that the peer itself was heard
};

}  // namespace osp::pip::udp
