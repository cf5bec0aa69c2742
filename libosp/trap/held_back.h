#pragma once

#include <signal.h>

#include <cstdint>

#include "libosp/trap/raw_handler.h"

namespace osp::trap {

constexpr uint64_t signal_bit(int signo) { return uint64_t{1} << (signo - 1); }

// Signals that are never blocked in the host (signal/held_back.h). Blocked, a fault would be the process's end, and a
// stop would not come; of children the core wants to know each time.
inline constexpr uint64_t never_held_back =
    signal_bit(SIGSEGV) | signal_bit(SIGBUS) | signal_bit(SIGFPE) | signal_bit(SIGILL) | signal_bit(SIGTRAP) |
    signal_bit(SIGSYS) | signal_bit(SIGTSTP) | signal_bit(SIGTTIN) | signal_bit(SIGTTOU) | signal_bit(SIGCONT) |
    signal_bit(SIGCHLD) | signal_bit(tick_signal) | signal_bit(control_signal);

// Whether a worker may hold something back: set after its host_mask. Signal-safe.
extern volatile bool some_held_back;

}  // namespace osp::trap
