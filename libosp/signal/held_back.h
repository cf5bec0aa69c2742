#pragma once

#include "libosp/task/process.h"

// A signal that comes faster than it is taken (a timer of a nanosecond, say) would leave the program and the core no
// time at all. So of standard signals that wait in the process already, the host keeps what comes until the first is
// taken: they are blocked there, by worker (trap::Worker::host_mask). The handler does the same where one is noted
// already (trap/raw_handler.cc).
namespace osp::signal {

// This has come for the process, where its like waits. Of real-time signals only a timer's is held back: each other
// counts.
void hold_back(const siginfo_t& info);
// Lets the host tell this worker again of what it holds back, where none waits any more.
void take_more(const task::Process& process);

}  // namespace osp::signal
