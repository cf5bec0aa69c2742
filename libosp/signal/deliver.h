#pragma once

#include "libosp/task/process.h"
#include "libosp/task/thread.h"

namespace osp::signal {

// At the program's edge: acts on every signal that is pending and not blocked. Handlers get Linux's
// frames on the program's stack (arch/x86: struct rt_sigframe, with the XSAVE state); the interrupted
// call's result is settled (signal(7), "Interruption of system calls"). May end or stop the process.
void deliver(task::Thread& thread);

// A signal that the thread cannot go on without: SIGSEGV of its own, say. Blocked or ignored, it kills.
void force(task::Thread& thread, const siginfo_t& info);

// rt_sigreturn(2): goes back to what the frame at the stack pointer holds. A bad frame is SIGSEGV.
long return_from_handler(task::Thread& thread);

// Brings the host's disposition in line with the program's for one signal.
void mirror(task::Process& process, int signo);
// What is caught is not any more, as after execve(2): what is ignored stays so.
void clear_handlers(task::Process& process);

// For a call that waits with another mask (sigsuspend(2), ppoll(2)): in force until the next deliver().
void set_temporary_mask(task::Thread& thread, Mask mask);
// The thread's mask from now on. Signals that became deliverable are delivered at the edge.
void set_mask(task::Thread& thread, Mask mask);
// The terminal driver asks whether the caller blocks SIGTTIN and SIGTTOU. Whether this worker's host thread does so as
// `thread`, which runs on it, does; and what makes it so. Needed before calls of files only: libraries block all
// signals for a moment to make a thread.
[[nodiscard]] bool is_mask_shown(const task::Thread& thread);
void show_mask_to_terminals(const task::Thread& thread);

siginfo_t make_info(int signo, int code);

}  // namespace osp::signal
