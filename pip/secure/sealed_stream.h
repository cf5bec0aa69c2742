#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pip/access.h"
#include "pip/secure/delegation.h"
#include "pip/secure/identity.h"
#include "pip/secure/record_layer.h"

// Both ends of a sealed connection (docs/pip.md, "Sealed connections"), without a transport: bytes in, bytes out.
// Nothing blocks; each is for one thread at a time.
namespace osp::pip {

// Who seals what comes after the handshake: this, in records; or the transport, with keys from the handshake
// (pip/udp/), and then it passes here as it is.
enum class Sealing : uint8_t { records, by_transport };

// How far the handshake is, for such a transport.
struct HandshakeProgress {
  size_t sent = 0;       // bytes of the handshake among those that were appended to `out`; they come first
  bool is_over = false;  // nothing more of it comes from the peer
  std::optional<noise::Handshake::Ciphers> ciphers{};  // of what is not handshake, as soon as there are any
};

class SealedClient {
 public:
  struct Options {
    Identity identity{};
    std::optional<PublicKey> server{};           // as it is known; else it is asked for its key
    std::vector<DelegationChain> delegations{};  // to show
    Sealing sealing = Sealing::records;
  };
  enum class State : uint8_t { greeting, open, failed };
  static constexpr size_t most_shown = 16;  // delegations; the rest are not

  explicit SealedClient(Options options);

  // Appends the first bytes of the connection; `early` goes with them where the server's key is known, else with the
  // last of the handshake. It may be sent to the server again by others: docs/pip.md says what that may be.
  Result<void> begin(std::string_view early, std::string& out);
  // Takes what arrived: appends what was in it to `plain`, and what is to be sent to `out`. An error is final:
  // EKEYREJECTED: the server's key is another than the one known; EACCES and others: the server said so (why());
  // EBADMSG: somebody interferes, or it speaks something else. With a transport that seals: first what it received of
  // the handshake, and once that is over only what was sealed.
  Result<void> receive(std::string_view wire, std::string& plain, std::string& out);
  // Appends `plain` as it goes over the wire. Before state() is open it is kept until then.
  Result<void> seal(std::string_view plain, std::string& out);

  [[nodiscard]] State state() const { return state_; }
  // After the handshake, and before with Options::server.
  [[nodiscard]] const std::optional<PublicKey>& server() const { return options_.server; }
  [[nodiscard]] const std::string& why() const { return why_; }
  [[nodiscard]] const HandshakeProgress& progress() const { return progress_; }

 private:
  Result<void> take_wire(std::string_view wire, std::string& plain, std::string& out);
  void begin_sealing(std::string& out);
  Result<void> take(std::string_view record, std::string& plain, std::string& out);
  Result<void> take_handshake(std::string_view record, std::string& out);
  Result<void> take_status(std::string_view payload);
  Result<void> take_server_key(std::string_view payload);
  [[nodiscard]] Result<std::string> hello() const;
  Result<void> fail_with(int code);

  Options options_;
  noise::Handshake handshake_;
  RecordReader records_;
  RecordLayer layer_;
  std::string waiting_;  // to be sent when it is open
  State state_ = State::greeting;
  bool wants_status_ = false;  // the server's first record says whether we are let in
  HandshakeProgress progress_;
  std::string why_;
};

class SealedServer {
 public:
  // What a peer may do that has this key and shows these delegations; nothing: it is not let in.
  using Admission = std::function<Access(const noise::Key& peer, std::span<const DelegationChain> shown)>;
  enum class State : uint8_t { greeting, open, failed };

  SealedServer(const Identity& identity, Admission admission, Sealing sealing = Sealing::records);

  // Whether a connection that begins so is a sealed one.
  static bool begins_sealed(std::string_view first_bytes);

  // As SealedClient's. On an error send what is in `out`, and close.
  Result<void> receive(std::string_view wire, std::string& plain, std::string& out);
  Result<void> seal(std::string_view plain, std::string& out);
  // Asks again whether the peer is let in, and to what.
  [[nodiscard]] Access access() const { return admission_(*handshake_->peer(), delegations_); }

  [[nodiscard]] State state() const { return state_; }
  // Whether the peer itself has been heard, now: what came before may have been sent again by somebody else.
  [[nodiscard]] bool is_confirmed() const { return is_confirmed_; }
  [[nodiscard]] const noise::Key& peer() const { return *handshake_->peer(); }
  [[nodiscard]] const HandshakeProgress& progress() const { return progress_; }

 private:
  Result<void> take_wire(std::string_view wire, std::string& plain, std::string& out);
  Result<bool> take_preamble();
  Result<void> take_handshake(std::string_view record, std::string& plain, std::string& out);
  Result<void> take_hello(std::string_view payload, std::string& plain);
  Result<void> refuse(int code, std::string& out);

  Identity identity_;
  Admission admission_;
  std::optional<noise::Handshake> handshake_;
  RecordReader records_;
  RecordLayer layer_;
  std::vector<DelegationChain> delegations_;
  Sealing sealing_;
  State state_ = State::greeting;
  bool is_confirmed_ = false;
  HandshakeProgress progress_;
};

}  // namespace osp::pip
