#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

// XXH3: against damage, not against forgers. Compiled in here for our baseline (SSE2), not taken from libxxhash,
// whose code may be picked for the processor at run time. All are signal-safe and do not allocate.
namespace osp::migrate {

using Digest = std::array<std::byte, 16>;  // XXH3-128, canonical (big-endian) form

uint64_t hash64(std::span<const std::byte> bytes);

// "9f86d081884c7d65…": 32 hexadecimal digits.
std::string to_hex(const Digest& digest);

// XXH3-128 of bytes that come in pieces.
class Hasher {
 public:
  Hasher();
  void update(std::span<const std::byte> bytes);
  [[nodiscard]] Digest digest() const;

 private:
  alignas(64) std::array<std::byte, 576> state_;  // an XXH3_state_t
};

}  // namespace osp::migrate
