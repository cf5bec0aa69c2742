#pragma once

#include <array>
#include <cstdint>

#include "libosp/ptrace/table.h"

namespace osp::ptrace {

inline constexpr size_t watched_places = 4;

// A thread's debug registers, in use, and what was there when it was looked last.
struct Watch {
  std::array<uint64_t, debug_registers> debug = {};
  std::array<uint64_t, watched_places> values = {};
};

}  // namespace osp::ptrace
