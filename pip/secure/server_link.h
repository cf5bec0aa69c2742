#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "pip/secure/access_rules.h"
#include "pip/secure/sealed_stream.h"
#include "pip/session_server.h"

namespace osp::pip {

// Who is let in, for all of a server's connections.
struct Doorkeeper {
  Identity identity;
  AccessRules rules;
};

// A connection of a SessionServer: sealed or, where that is allowed, in clear. As the server, it has no transport and
// is for one thread.
class ServerLink {
 public:
  // `in_clear`: what a peer may do that does not seal; nothing: it must. The first two are the caller's.
  ServerLink(SessionServer& server, const Doorkeeper& doorkeeper, Access in_clear, Sealing sealing = Sealing::records)
      : server_(server), doorkeeper_(doorkeeper), in_clear_(std::move(in_clear)), sealing_(sealing) {}
  // The connection is gone.
  void disconnected(uint64_t now_s);

  // As SessionServer's. EACCES: the peer is not let in.
  Result<void> receive(std::string_view wire, std::string& out, uint64_t now_s);
  // What the server has for this connection meanwhile.
  Result<void> take_output(std::string& out);
  // The server's number of it; 0: it has none yet.
  [[nodiscard]] uint64_t id() const { return id_; }
  // Whether the peer is in and has shown that it is there; who is not for long may be sent away.
  [[nodiscard]] bool is_settled() const { return is_confirmed_; }
  // For a transport that seals by itself; null: there is no handshake.
  [[nodiscard]] const HandshakeProgress* handshake() const { return sealed_ ? &sealed_->progress() : nullptr; }
  // The doorkeeper's rules, or the time, have changed. EACCES: the peer may not be here any more.
  Result<void> reconsider();

 private:
  Result<void> begin(std::string_view wire, std::string& out);
  Result<void> receive_sealed(std::string_view wire, std::string& out, uint64_t now_s);
  Result<void> enter();

  SessionServer& server_;
  const Doorkeeper& doorkeeper_;
  Access in_clear_;
  Sealing sealing_;
  std::unique_ptr<SealedServer> sealed_;
  uint64_t id_ = 0;  // the server's, once the peer is in
  bool has_begun_ = false, is_confirmed_ = false;
};

}  // namespace osp::pip
