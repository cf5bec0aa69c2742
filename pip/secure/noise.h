#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

// The Noise Protocol Framework, revision 34 (noiseprotocol.org/noise.html): Noise_IK_25519_ChaChaPoly_BLAKE2b and
// Noise_XX_25519_ChaChaPoly_BLAKE2b. Nothing blocks; nothing here is for signal handlers or several threads at once.
namespace osp::pip::noise {

constexpr size_t mac_size = 16;
constexpr size_t most_message = 65535;                                          // bytes of a message, with its MACs
constexpr size_t most_payload = most_message - 2 * (32 + mac_size) - mac_size;  // of a handshake's, with its keys

using Key = std::array<uint8_t, 32>;
using Hash = std::array<uint8_t, 64>;

// An X25519 key pair. `secret` is wiped when it goes.
struct KeyPair {
  Key secret{};
  Key open{};

  static KeyPair random();
  static KeyPair of(const Key& secret);
  KeyPair() = default;
  KeyPair(const KeyPair&) = default;
  KeyPair& operator=(const KeyPair&) = default;
  ~KeyPair();
};

// A key with its count of messages (CipherState). Without a key, text passes as it is.
class Cipher {
 public:
  Cipher() = default;
  explicit Cipher(const Key& key) : key_(key), has_key_(true) {}
  Cipher(const Cipher&) = default;
  Cipher& operator=(const Cipher&) = default;
  ~Cipher();

  // Appends what `plain` becomes, mac_size longer. EOVERFLOW: 2^64-1 messages have been; the key is used up.
  Result<void> seal(std::string_view associated, std::string_view plain, std::string& out);
  // Appends what was sealed. EBADMSG: it is not whole, not in its turn, or not for this key; nothing is appended.
  Result<void> unseal(std::string_view associated, std::string_view sealed, std::string& out);
  // The same with a nonce of the caller's, for messages that may be lost; no nonce twice to seal. Needs a key.
  void seal_at(uint64_t nonce, std::string_view associated, std::string_view plain, std::string& out) const;
  Result<void> unseal_at(uint64_t nonce, std::string_view associated, std::string_view sealed, std::string& out) const;
  // The next key (REKEY); both ends do it after the same message.
  void rekey();
  [[nodiscard]] bool has_key() const { return has_key_; }

 private:
  Key key_{};
  bool has_key_ = false;
  uint64_t count_ = 0;
};

// Chaining key and transcript (SymmetricState).
class Transcript {
 public:
  Transcript(std::string_view protocol, std::string_view prologue);
  void mix_hash(std::string_view data);
  void mix_key(std::string_view secret);
  Result<void> seal(std::string_view plain, std::string& out);
  Result<void> unseal(std::string_view sealed, std::string& out);
  [[nodiscard]] const Hash& hash() const { return hash_; }
  [[nodiscard]] bool has_key() const { return cipher_.has_key(); }
  // The ciphers of what the initiator sends and of what it receives.
  [[nodiscard]] std::pair<Cipher, Cipher> split() const;

 private:
  Hash chaining_key_{};
  Hash hash_{};
  Cipher cipher_;
};

enum class Pattern : uint8_t { ik, xx };
enum class Role : uint8_t { initiator, responder };

class Handshake {
 public:
  struct Options {
    Pattern pattern = Pattern::ik;
    Role role = Role::initiator;
    std::string_view prologue{};         // both ends' must be the same
    std::optional<Key> peer{};           // IK: the initiator knows the responder's
    std::optional<KeyPair> ephemeral{};  // of test vectors only
  };

  Handshake(const KeyPair& own, const Options& options);

  // Appends the next message, which carries `payload`; it is this side's turn. EMSGSIZE: over
  // most_payload, and nothing has been done.
  // ECONNREFUSED: the other's key is one with which no secret can be shared.
  Result<void> write(std::string_view payload, std::string& out);
  // Takes the next message, which is the other side's turn; returns its payload. EBADMSG: it is not whole, or for
  // another key or prologue. The handshake is of no more use then.
  Result<std::string> read(std::string_view message);

  [[nodiscard]] bool is_writing() const;  // whose turn it is
  [[nodiscard]] bool is_done() const;
  // The other side's static key, once it is known; as an initiator of IK from the start.
  [[nodiscard]] const std::optional<Key>& peer() const { return peer_; }
  [[nodiscard]] const Hash& hash() const { return transcript_.hash(); }

  // After the last message.
  struct Ciphers {
    Cipher send, receive;
  };
  [[nodiscard]] Ciphers ciphers() const;

 private:
  enum class Token : uint8_t;
  [[nodiscard]] std::span<const Token> tokens() const;
  Result<void> write_token(Token token, std::string& out);
  Result<void> read_token(Token token, std::string_view& rest);
  Result<void> mix_shared(Token token);
  Result<void> take_static(std::string_view& rest);

  Role role_;
  Pattern pattern_;
  KeyPair own_;
  std::optional<KeyPair> ephemeral_;
  std::optional<Key> peer_, peer_ephemeral_;
  Transcript transcript_;
  size_t turn_ = 0;
};

}  // namespace osp::pip::noise
