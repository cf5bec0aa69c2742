#include "pip/secure/noise.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace osp::pip::noise {
namespace {

// Before main(): libsodium then takes what this processor does best, and is good for threads.
[[maybe_unused]] const int sodium_is_ready = sodium_init();

constexpr size_t block_size = 128;  // of BLAKE2b
constexpr uint64_t most_count = UINT64_MAX;
using Nonce = std::array<uint8_t, 12>;

const unsigned char* bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* room(std::string& text, size_t at) { return reinterpret_cast<unsigned char*>(text.data() + at); }

template <size_t size>
std::string_view view(const std::array<uint8_t, size>& array) {
  return {reinterpret_cast<const char*>(array.data()), size};
}

Hash blake2b(std::string_view first, std::string_view second = {}) {
  crypto_generichash_state state;
  Hash hash;
  crypto_generichash_init(&state, nullptr, 0, hash.size());
  crypto_generichash_update(&state, bytes(first), first.size());
  crypto_generichash_update(&state, bytes(second), second.size());
  crypto_generichash_final(&state, hash.data(), hash.size());
  return hash;
}

// HMAC (RFC 2104) of a key of at most a block.
Hash hmac(const Hash& key, std::string_view data) {
  std::array<uint8_t, block_size> inner{}, outer{};
  std::ranges::copy(key, inner.begin());
  outer = inner;
  for (uint8_t& byte : inner) byte ^= 0x36U;
  for (uint8_t& byte : outer) byte ^= 0x5cU;
  const Hash hash = blake2b(view(outer), view(blake2b(view(inner), data)));
  sodium_memzero(inner.data(), inner.size());
  sodium_memzero(outer.data(), outer.size());
  return hash;
}

// HKDF with two outputs.
std::pair<Hash, Hash> derive(const Hash& chaining_key, std::string_view material) {
  const Hash temporary = hmac(chaining_key, material);
  const Hash first = hmac(temporary, std::string_view("\1", 1));
  return {first, hmac(temporary, std::string(view(first)) + '\2')};
}

Key key_of(const Hash& hash) {
  Key key;
  std::copy_n(hash.begin(), key.size(), key.begin());
  return key;
}

Nonce nonce_of(uint64_t count) {
  Nonce nonce{};
  for (size_t i = 0; i < 8; ++i) nonce[4 + i] = static_cast<uint8_t>(count >> (8 * i));
  return nonce;
}

constexpr std::string_view name_of(Pattern pattern) {
  return pattern == Pattern::ik ? "Noise_IK_25519_ChaChaPoly_BLAKE2b" : "Noise_XX_25519_ChaChaPoly_BLAKE2b";
}

}  // namespace

KeyPair KeyPair::random() {
  Key secret;
  randombytes_buf(secret.data(), secret.size());
  KeyPair pair = of(secret);
  sodium_memzero(secret.data(), secret.size());
  return pair;
}

KeyPair KeyPair::of(const Key& secret) {
  KeyPair pair;
  pair.secret = secret;
  crypto_scalarmult_base(pair.open.data(), secret.data());
  return pair;
}

KeyPair::~KeyPair() { sodium_memzero(secret.data(), secret.size()); }

Cipher::~Cipher() { sodium_memzero(key_.data(), key_.size()); }

Result<void> Cipher::seal(std::string_view associated, std::string_view plain, std::string& out) {
  if (!has_key_) return out += plain, Result<void>{};
  if (count_ == most_count) return fail(EOVERFLOW);
  return seal_at(count_++, associated, plain, out), Result<void>{};
}

void Cipher::seal_at(uint64_t number, std::string_view associated, std::string_view plain, std::string& out) const {
  const size_t at = out.size();
  out.resize(at + plain.size() + mac_size);
  const Nonce nonce = nonce_of(number);
  crypto_aead_chacha20poly1305_ietf_encrypt(room(out, at), nullptr, bytes(plain), plain.size(), bytes(associated),
                                            associated.size(), nullptr, nonce.data(), key_.data());
}

Result<void> Cipher::unseal(std::string_view associated, std::string_view sealed, std::string& out) {
  if (!has_key_) return out += sealed, Result<void>{};
  if (count_ == most_count) return fail(EBADMSG);
  OSP_TRY(unseal_at(count_, associated, sealed, out));
  ++count_;
  return {};
}

Result<void> Cipher::unseal_at(uint64_t number, std::string_view associated, std::string_view sealed,
                               std::string& out) const {
  if (sealed.size() < mac_size) return fail(EBADMSG);
  const size_t at = out.size();
  out.resize(at + sealed.size() - mac_size);
  const Nonce nonce = nonce_of(number);
  const int bad =
      crypto_aead_chacha20poly1305_ietf_decrypt(room(out, at), nullptr, nullptr, bytes(sealed), sealed.size(),
                                                bytes(associated), associated.size(), nonce.data(), key_.data());
  return bad == 0 ? Result<void>{} : (out.resize(at), fail(EBADMSG));
}

void Cipher::rekey() {
  const Key zeros{};
  std::array<uint8_t, sizeof(Key) + mac_size> next;
  const Nonce nonce = nonce_of(most_count);
  crypto_aead_chacha20poly1305_ietf_encrypt(next.data(), nullptr, zeros.data(), zeros.size(), nullptr, 0, nullptr,
                                            nonce.data(), key_.data());
  std::copy_n(next.begin(), key_.size(), key_.begin());
  sodium_memzero(next.data(), next.size());
}

Transcript::Transcript(std::string_view protocol, std::string_view prologue) {
  static_assert(sizeof(Hash) >= name_of(Pattern::ik).size());
  std::ranges::copy(protocol, hash_.begin());  // shorter than a hash: padded with zeros
  chaining_key_ = hash_;
  mix_hash(prologue);
}

void Transcript::mix_hash(std::string_view data) { hash_ = blake2b(view(hash_), data); }

void Transcript::mix_key(std::string_view secret) {
  const auto [chaining_key, key] = derive(chaining_key_, secret);
  chaining_key_ = chaining_key;
  cipher_ = Cipher(key_of(key));
}

Result<void> Transcript::seal(std::string_view plain, std::string& out) {
  const size_t at = out.size();
  OSP_TRY(cipher_.seal(view(hash_), plain, out));
  mix_hash(std::string_view(out).substr(at));
  return {};
}

Result<void> Transcript::unseal(std::string_view sealed, std::string& out) {
  OSP_TRY(cipher_.unseal(view(hash_), sealed, out));
  mix_hash(sealed);
  return {};
}

std::pair<Cipher, Cipher> Transcript::split() const {
  const auto [first, second] = derive(chaining_key_, {});
  return {Cipher(key_of(first)), Cipher(key_of(second))};
}

// e, s: a key is sent; ee, es, se, ss: a secret of two keys, the initiator's first.
enum class Handshake::Token : uint8_t { e, s, ee, es, se, ss };

std::span<const Handshake::Token> Handshake::tokens() const {
  using enum Token;
  static constexpr Token ik_1[] = {e, es, s, ss}, ik_2[] = {e, ee, se};
  static constexpr Token xx_1[] = {e}, xx_2[] = {e, ee, s, es}, xx_3[] = {s, se};
  static constexpr std::span<const Token> ik[] = {ik_1, ik_2}, xx[] = {xx_1, xx_2, xx_3};
  return pattern_ == Pattern::ik ? ik[turn_] : xx[turn_];
}

Handshake::Handshake(const KeyPair& own, const Options& options)
    : role_(options.role),
      pattern_(options.pattern),
      own_(own),
      ephemeral_(options.ephemeral),
      peer_(options.peer),
      transcript_(name_of(options.pattern), options.prologue) {
  if (pattern_ != Pattern::ik) return;
  transcript_.mix_hash(view(role_ == Role::initiator ? peer_.value() : own_.open));
}

bool Handshake::is_done() const { return turn_ == (pattern_ == Pattern::ik ? 2 : 3); }
bool Handshake::is_writing() const { return !is_done() && (turn_ % 2 == 0) == (role_ == Role::initiator); }

Result<void> Handshake::mix_shared(Token token) {
  const bool initiates = role_ == Role::initiator;
  const bool own_is_static = token == Token::ss || token == (initiates ? Token::se : Token::es);
  const bool peers_is_static = token == Token::ss || token == (initiates ? Token::es : Token::se);
  Key secret;
  const Key& own = own_is_static ? own_.secret : ephemeral_->secret;
  if (crypto_scalarmult(secret.data(), own.data(), (peers_is_static ? peer_ : peer_ephemeral_)->data()) != 0)
    return fail(ECONNREFUSED);
  transcript_.mix_key(view(secret));
  sodium_memzero(secret.data(), secret.size());
  return {};
}

Result<void> Handshake::write_token(Token token, std::string& out) {
  if (token == Token::s) return transcript_.seal(view(own_.open), out);
  if (token != Token::e) return mix_shared(token);
  if (!ephemeral_) ephemeral_ = KeyPair::random();
  out += view(ephemeral_->open);
  transcript_.mix_hash(view(ephemeral_->open));
  return {};
}

Result<void> Handshake::write(std::string_view payload, std::string& out) {
  if (payload.size() > most_payload) return fail(EMSGSIZE);
  for (const Token token : tokens()) OSP_TRY(write_token(token, out));
  OSP_TRY(transcript_.seal(payload, out));
  ++turn_;
  return {};
}

Result<void> Handshake::take_static(std::string_view& rest) {
  const size_t size = sizeof(Key) + (transcript_.has_key() ? mac_size : 0);
  if (rest.size() < size) return fail(EBADMSG);
  std::string key;
  OSP_TRY(transcript_.unseal(rest.substr(0, size), key));
  std::ranges::copy(key, peer_.emplace().begin());
  rest.remove_prefix(size);
  return {};
}

Result<void> Handshake::read_token(Token token, std::string_view& rest) {
  if (token == Token::s) return take_static(rest);
  if (token != Token::e) return mix_shared(token);
  if (rest.size() < sizeof(Key)) return fail(EBADMSG);
  std::memcpy(peer_ephemeral_.emplace().data(), rest.data(), sizeof(Key));
  transcript_.mix_hash(view(*peer_ephemeral_));
  rest.remove_prefix(sizeof(Key));
  return {};
}

Result<std::string> Handshake::read(std::string_view message) {
  if (message.size() > most_message) return fail(EBADMSG);
  for (const Token token : tokens()) OSP_TRY(read_token(token, message));
  std::string payload;
  OSP_TRY(transcript_.unseal(message, payload));
  ++turn_;
  return payload;
}

Handshake::Ciphers Handshake::ciphers() const {
  auto [first, second] = transcript_.split();
  return role_ == Role::initiator ? Ciphers{.send = first, .receive = second}
                                  : Ciphers{.send = second, .receive = first};
}

}  // namespace osp::pip::noise
