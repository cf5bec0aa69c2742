#include "pip/secure/identity.h"

#include <sodium.h>

#include <algorithm>

namespace osp::pip {
namespace {

constexpr std::string_view key_prefix = "osp1:", secret_prefix = "osp1-secret:";
constexpr int variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;

const unsigned char* raw(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

Result<std::array<uint8_t, 32>> parse_32(std::string_view prefix, std::string_view text) {
  if (!text.starts_with(prefix)) return fail(EINVAL);
  OSP_ASSIGN(const std::string decoded, from_base64(text.substr(prefix.size())));
  std::array<uint8_t, 32> bytes{};
  if (decoded.size() != bytes.size()) return fail(EINVAL);
  std::ranges::copy(decoded, bytes.begin());
  return bytes;
}

std::string_view view(const uint8_t* bytes, size_t size) { return {reinterpret_cast<const char*>(bytes), size}; }

}  // namespace

std::string base64(std::string_view bytes) {
  std::string text(sodium_base64_encoded_len(bytes.size(), variant), '\0');
  sodium_bin2base64(text.data(), text.size(), raw(bytes), bytes.size(), variant);
  text.pop_back();  // the NUL
  return text;
}

Result<std::string> from_base64(std::string_view text) {
  std::string bytes(text.size() * 3 / 4 + 1, '\0');
  size_t size = 0;
  const char* end = nullptr;
  const int bad = sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(),
                                    text.size(), nullptr, &size, &end, variant);
  if (bad != 0 || end != text.data() + text.size()) return fail(EINVAL);
  bytes.resize(size);
  return bytes;
}

std::string PublicKey::text() const { return std::string(key_prefix) + base64(view(bytes.data(), bytes.size())); }

Result<PublicKey> PublicKey::parse(std::string_view text) {
  PublicKey key;
  OSP_ASSIGN(key.bytes, parse_32(key_prefix, text));
  OSP_TRY(key.for_noise());
  return key;
}

Result<noise::Key> PublicKey::for_noise() const {
  noise::Key key;
  return crypto_sign_ed25519_pk_to_curve25519(key.data(), bytes.data()) == 0 ? Result<noise::Key>(key) : fail(EINVAL);
}

bool PublicKey::has_signed(std::string_view text, std::string_view signature) const {
  return signature.size() == signature_size &&
         crypto_sign_verify_detached(raw(signature), raw(text), text.size(), bytes.data()) == 0;
}

Identity::Identity(const std::array<uint8_t, 32>& seed) {
  crypto_sign_seed_keypair(key_.bytes.data(), secret_.data(), seed.data());
}

Identity::~Identity() { sodium_memzero(secret_.data(), secret_.size()); }

Identity Identity::random() {
  std::array<uint8_t, 32> seed;
  randombytes_buf(seed.data(), seed.size());
  const Identity made(seed);
  sodium_memzero(seed.data(), seed.size());
  return made;
}

Result<Identity> Identity::parse(std::string_view text) {
  OSP_ASSIGN(const auto seed, parse_32(secret_prefix, text));
  return Identity(seed);
}

std::string Identity::secret_text() const { return std::string(secret_prefix) + base64(view(secret_.data(), 32)); }

noise::KeyPair Identity::for_noise() const {
  noise::Key secret;
  crypto_sign_ed25519_sk_to_curve25519(secret.data(), secret_.data());
  noise::KeyPair pair = noise::KeyPair::of(secret);
  sodium_memzero(secret.data(), secret.size());
  return pair;
}

std::string Identity::sign(std::string_view text) const {
  std::string signature(signature_size, '\0');
  crypto_sign_detached(reinterpret_cast<unsigned char*>(signature.data()), nullptr, raw(text), text.size(),
                       secret_.data());
  return signature;
}

}  // namespace osp::pip
