#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace osp::trap {

// Up to here the host writes to a pipe wholly or not at all, and does not wait once poll(2) says POLLOUT (pipe(7)).
inline constexpr long always_whole = 4096;

// What is known of an fd (FastState::marks).
enum FdMark : uint8_t {
  fd_is_served = 1,    // by the core; else the host has it
  fd_never_waits = 2,  // it has been seen to be O_NONBLOCK: a call may be made of the host at once
};

// How many threads of the process wait for futex words, by the words' places in this table: where it says none, a wake
// need not enter the core. Whoever waits is counted before it looks at the word.
struct FutexWaiters {
  static constexpr unsigned bits = 6;
  // Multiplied as by Knuth (TAOCP 3, 6.4).
  static constexpr size_t place_of(uint64_t key) { return key * 0x9e37'79b9'7f4a'7c15 >> (64 - bits); }

  std::array<std::atomic<uint32_t>, 1 << bits> count = {};
};

// Which calls are answered without entering the core proper. Those that may block are so only for a program with one
// thread, which the host may block, and with several where the fd never waits.
// Natively there is no host to forward to, and the core knows the ids of users.
enum class Fast : uint8_t { none, natively, without_host, never_blocking, alone };

// For each number below OSP_FAST_CALLS which function answers it, 0 for none: FastState::calls.
[[nodiscard]] const uint8_t* fast_calls(Fast which);

}  // namespace osp::trap
