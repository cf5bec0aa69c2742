#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "libosp/patch/decode.h"

namespace osp::patch {

// Code that can be read, at its address in the program. The bytes stay the caller's.
struct Code {
  uint64_t start = 0;
  Bytes bytes;

  uint64_t end() const { return start + bytes.size(); }
  bool contains(uint64_t address, size_t size) const {
    return address >= start && address <= end() && size <= end() - address;
  }
  // From `address`, which must be in it or its end, on.
  Bytes from(uint64_t address) const { return bytes.subspan(address - start); }
};

struct Located {
  uint64_t address = 0;
  Instruction instruction;
};

// The instruction that ends at `address`, found by decoding from every byte of a stretch well before it:
// x86 code synchronises itself after a few instructions, so nearly all of these come to the same
// boundaries. Nothing unless all that come to `address` at all agree on the instruction before it, and
// enough do. Signal-safe, no allocation; some microseconds.
[[nodiscard]] std::optional<Located> instruction_before(const Code& code, uint64_t address);

}  // namespace osp::patch
