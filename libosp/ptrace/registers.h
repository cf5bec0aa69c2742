#pragma once

#include <sys/user.h>

#include "libosp/task/thread.h"

namespace osp::ptrace {

struct Body;

// The program's registers as the kernel shows them (struct user_regs_struct), and the XSAVE area. `in_call`: the
// thread is at a system call, whose number orig_rax has; else orig_rax is -1, as for all other ways in.
void publish_registers(task::Thread& thread, bool in_call, Body& body);
// Takes what the tracer has changed; what it may not change stays. A changed orig_rax is the caller's to look at.
void take_registers(task::Thread& thread, Body& body);

}  // namespace osp::ptrace
