#pragma once

#include <cstdint>

#include "libosp/task/thread.h"

namespace osp::control {

// Answers a tool that has signalled us (Process::serve_stop): connects to the tool's abstract unix socket, whose
// name is made of `nonce` (the signal's value), if the tool is of our user or root, and serves the control tree
// over πp until the tool hangs up, or says nothing for ten seconds. Blocks; all other threads are stopped. Does
// not return if the process has been checkpointed away.
void serve(task::Thread& thread, uint64_t nonce);

}  // namespace osp::control
