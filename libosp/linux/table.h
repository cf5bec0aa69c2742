#pragma once

#include "libosp/linux/call.h"

namespace osp::linux {

// Serves the system call in the thread's registers (nr in orig_rax); its result, or a task::Restart code.
// A number that is not served answers -ENOSYS and is logged once.
long call(task::Thread& thread);

struct Entry {
  const char* name = nullptr;  // null: not served
  Handler handler = nullptr;
  const char* format = "";  // calls.def
};
const Entry& entry(long nr);

// From now on the calls of native/calls.def are served by what stands there. Once, at start.
void use_native_table();

}  // namespace osp::linux
