#pragma once

#include <string>
#include <string_view>

#include "pip/secure/noise.h"
#include "pip/udp/packet.h"

namespace osp::pip::udp {

// Datagrams are sealed by their number, which is the nonce; their heads are not secret, but nobody changes them. The
// key changes after each datagrams_a_key numbers, so nothing on the wire says so.
constexpr uint64_t datagrams_a_key = 1U << 16;

// The key of handshake datagrams, which all know: what it opens was not damaged on its way, and no more.
noise::Cipher known_cipher();

class PacketSealer {
 public:
  PacketSealer() = default;
  explicit PacketSealer(const noise::Cipher& first) : cipher_(first) {}
  // Numbers count up. The whole datagram is appended.
  void seal(const Head& head, std::string_view plain, std::string& out);
  [[nodiscard]] bool has_key() const { return cipher_.has_key(); }

 private:
  noise::Cipher cipher_;
  uint64_t phase_ = 0;
};

class PacketOpener {
 public:
  PacketOpener() = default;
  explicit PacketOpener(const noise::Cipher& first);
  // Appends what is in the datagram. EBADMSG: it was damaged, or is not from the peer, or is out of all order.
  Result<void> open(const Head& head, std::string_view datagram, std::string& plain);
  [[nodiscard]] bool has_key() const { return current_.has_key(); }

 private:
  noise::Cipher previous_, current_, next_;
  uint64_t phase_ = 0;
};

}  // namespace osp::pip::udp
