#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "pip/secure/key_store.h"
#include "pip/secure/sealed_stream.h"
#include "pip/session_client.h"
#include "pip/url.h"

namespace osp::pip {

// A SessionClient as its connections see it: sealed with this user's key where the address asks for it. As
// SessionClient, it owns no connection, and blocks only as the files of the KeyStore and ask_agent() do, in connected()
// and when it learns a server's key.
class ClientLink {
 public:
  // With $OSP_AGENT the key is one of its own, for which that agent's delegations speak.
  ClientLink(Address address, SessionClient::Options options, KeyStore keys = KeyStore(KeyStore::default_directory()));

  // A new connection: what it begins with. EACCES, EBADMSG: the user's key cannot be used (why()).
  Result<void> connected(std::string& out);
  void disconnected();
  // As SessionClient's, and as SealedClient's. A server that is met for the first time is known from then on.
  Result<void> receive(std::string_view wire, std::string& out);
  Result<uint64_t> submit(const std::vector<Message>& messages, uint16_t flags, std::string& out);
  void ping(std::string_view data, std::string& out);
  void returned(uint64_t lease, uint64_t after, std::string& out);
  void keep(uint32_t fid, LockKind kind, const RangeLocks& locks, std::string& out);
  void end(std::string& out);

  [[nodiscard]] SessionClient& session() { return session_; }
  [[nodiscard]] const SessionClient& session() const { return session_; }
  // What is to be told to a person besides the error; empty: nothing.
  [[nodiscard]] const std::string& why() const { return why_; }
  // For a transport that seals by itself; null: there is no connection, or it is in clear.
  [[nodiscard]] const HandshakeProgress* handshake() const { return sealed_ ? &sealed_->progress() : nullptr; }

 private:
  Result<SealedClient::Options> sealing();
  Result<void> take_credentials(SealedClient::Options& options);
  Result<void> learn_server();
  Result<void> explain(Error error);
  void pass(std::string& out);

  Address address_;
  KeyStore keys_;
  SessionClient session_;
  std::string agent_;  // its socket; empty: the user's own key is used
  std::optional<Identity> identity_;
  std::unique_ptr<SealedClient> sealed_;
  std::optional<PublicKey> known_;  // before this connection
  std::string plain_;               // what the session wants to send
  std::string why_;
};

}  // namespace osp::pip
