#pragma once

#include <cstdint>

namespace osp::trap {

// Up to here the host writes to a pipe wholly or not at all, and does not wait once poll(2) says POLLOUT (pipe(7)).
inline constexpr long always_whole = 4096;

// Which calls are answered without entering the core proper. Those that may block are so only for a program with one
// thread, which the host may block.
// Natively there is no host to forward to.
enum class Fast : uint8_t { none, without_host, never_blocking, alone };

// For each number below OSP_FAST_CALLS which function answers it, 0 for none: FastState::calls.
[[nodiscard]] const uint8_t* fast_calls(Fast which);

}  // namespace osp::trap
