#pragma once

#include <cstdint>

// Which of the host interface's two sides the core stands on, and what it asks of either in the same words.
namespace osp::host {

// Whether it is the microkernel; else Linux. Set once, first of all.
bool is_native();
void set_native();

// The preemption tick: the pending of the caller's worker is set after that time, once. `timer` is what the last call
// has left, -1 at first; `host_tid` is the caller's.
void set_tick(uint64_t after_ns, int& timer, int host_tid);

}  // namespace osp::host
