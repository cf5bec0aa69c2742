#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "pip/secure/noise.h"

// Who somebody is: an Ed25519 key (RFC 8032), which also stands for its X25519 form in handshakes. Nothing blocks.
namespace osp::pip {

struct PublicKey {
  std::array<uint8_t, 32> bytes{};

  // "osp1:" and 43 characters of base64url (RFC 4648, without padding).
  [[nodiscard]] std::string text() const;
  // EINVAL: no such text, or no key that can be used.
  static Result<PublicKey> parse(std::string_view text);
  // What a handshake shows of it. EINVAL: it is no point of the curve, or one of small order.
  [[nodiscard]] Result<noise::Key> for_noise() const;
  // Whether the owner of this key signed `text`.
  [[nodiscard]] bool has_signed(std::string_view text, std::string_view signature) const;

  friend auto operator<=>(const PublicKey&, const PublicKey&) = default;
};

constexpr size_t signature_size = 64;

// The secret half. Wiped when it goes.
class Identity {
 public:
  Identity() = default;  // nobody's
  static Identity random();
  // "osp1-secret:" and 43 characters. EINVAL.
  static Result<Identity> parse(std::string_view text);
  Identity(const Identity&) = default;
  Identity& operator=(const Identity&) = default;
  ~Identity();

  [[nodiscard]] const PublicKey& key() const { return key_; }
  [[nodiscard]] std::string secret_text() const;
  [[nodiscard]] noise::KeyPair for_noise() const;
  [[nodiscard]] std::string sign(std::string_view text) const;  // signature_size bytes

 private:
  explicit Identity(const std::array<uint8_t, 32>& seed);

  std::array<uint8_t, 64> secret_{};  // libsodium's form: seed and public key
  PublicKey key_;
};

// base64url without padding; EINVAL: other characters, or not the one text of its bytes.
[[nodiscard]] std::string base64(std::string_view bytes);
[[nodiscard]] Result<std::string> from_base64(std::string_view text);

}  // namespace osp::pip
