#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

namespace osp::pip::udp {

// A peer's address as the sockets write it; empty: the one that the socket is connected to.
using PeerAddress = std::string;

// The way to a peer, and whether it is known that it is there. Until then only some times as much is sent there as came
// from there, so that nobody can have a third party flooded (RFC 9000, 8).
struct Path {
  static constexpr uint64_t amplification = 3;

  PeerAddress address{};
  bool is_validated = false;
  uint64_t received = 0, sent = 0;  // bytes, before it was validated
  uint64_t challenge = 0;           // that was sent there
  int64_t since_us = 0;

  // Bytes that may be sent there now.
  [[nodiscard]] uint64_t budget() const {
    return is_validated ? UINT64_MAX : amplification * received - std::min(sent, amplification * received);
  }
};

}  // namespace osp::pip::udp
