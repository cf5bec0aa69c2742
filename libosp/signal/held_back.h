#pragma once

#include "libosp/task/process.h"
#include "libosp/trap/held_back.h"

// A signal that comes faster than it is taken (a timer of a nanosecond, say) would leave the program and the core no
// time at all. So of standard signals that wait in the process already, the host keeps what comes until the first is
// taken: they are blocked there, by worker (trap::Worker::host_mask). The handler does the same where one is noted
// already (trap/raw_handler.cc).
namespace osp::signal {

// This has come for the process, where its like waits. Of real-time signals only a timer's is held back: each other
// counts.
void hold_back(const siginfo_t& info);
// Lets the host tell the workers again of what they hold back, where none waits any more: this one now, others when
// they have come to the core, which they are made to. To be called where trap::some_held_back, by whoever may have
// taken a signal, before it leaves the core: nobody else would.
void take_more(const task::Process& process);

}  // namespace osp::signal
