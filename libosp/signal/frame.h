#pragma once

#include <signal.h>

#include "base/result.h"
#include "libosp/signal/state.h"
#include "libosp/task/thread.h"

namespace osp::signal {

// Puts a frame for `action` on the program's stack and makes the registers enter the handler.
// `error`, `trap`: sigcontext's err and trapno of a fault. EFAULT: no room there.
Result<void> push_frame(task::Thread& thread, const Action& action, const siginfo_t& info, Mask mask_to_restore,
                        uint64_t error, uint64_t trap);

// Loads registers, vector state, mask and alternate stack from the frame. EFAULT.
Result<void> pop_frame(task::Thread& thread);

// Mends what XRSTOR would fault on in an XSAVE area that somebody else has written.
void sanitise_vector(std::byte* area);

}  // namespace osp::signal
