#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "libosp/patch/boundary.h"

namespace osp::patch {

inline constexpr size_t long_jump_size = 5;   // jmp rel32
inline constexpr size_t short_jump_size = 2;  // jmp rel8

// Bytes between functions that are never executed.
struct Padding {
  uint64_t address = 0;
  uint8_t size = 0;  // at least long_jump_size, at most 16
};

// Dead padding that a short jump at `jump` reaches, clear of the bytes from `jump` to `resume` (the
// boundary behind the system call, from which code is decoded on). It is a run of int3 that begins at an
// instruction's boundary, or of nops that follows a ret, jmp or ud2 and ends at a 16-byte boundary, the next
// one: so it is alignment, neither reached from above nor the nops that a function may begin with. Padding
// that holds a jump already begins with a jump, and is not found again; what is left of it is.
[[nodiscard]] std::optional<Padding> find_padding(const Code& code, uint64_t jump, uint64_t resume);

// What was found there earlier is still padding and holds no jump.
[[nodiscard]] bool is_padding(const Code& code, const Padding& padding);

}  // namespace osp::patch
