#pragma once

#include <sys/types.h>

#include <string_view>

namespace osp::fuse {

// Whether what is pending for a thread, by its status as proc(5) has it, asks for the end of the call that it is in:
// any signal that is not blocked nor ignored, but those that as a rule only tell something (timers, children, windows),
// or stop the program. The kernel does not tell which signal interrupts a request, nor that there is a second one.
bool wants_to_leave(std::string_view status);

// The same of a running thread of this machine. True: it is gone, or in a pid name space that is not seen from here.
bool wants_to_leave(pid_t thread);

}  // namespace osp::fuse
