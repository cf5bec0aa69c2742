#pragma once

#include <signal.h>

#include <cstdint>

// The host's signals as they reach the core. All of it runs on the worker's alternate stack, and
// wherever the core was, and so uses no libc, heap or lock, and no TLS but the worker (scripts/check-asm-symbols holds
// it to that).
namespace osp::trap {

// The core's own signals, out of the program's reach: real-time signals that it never sees.
inline constexpr int tick_signal = 62;  // from a timer whose value is the mark
inline constexpr int tick_mark = 0x74696b;
// A tool asks for the process's attention (control/serve.h) by sigqueue(3) of this one with the mark in si_errno;
// without the mark it is a signal like any other.
inline constexpr int control_signal = 61;
inline constexpr int control_mark = 0x6f7370;

// Installs the handler for `signo` (any but SIGKILL, SIGSTOP); `flags` adds SA_NOCLDSTOP or SA_NOCLDWAIT. What the host
// had is put at `before`, unless null, in rt_sigaction(2)'s own layout.
long install_handler(int signo, uint64_t flags = 0, void* before = nullptr);
// Sets SIG_DFL or SIG_IGN on the host.
long install_disposition(int signo, bool ignore);
// What the host has now: 0 SIG_DFL, 1 SIG_IGN, 2 a handler.
int host_disposition(int signo);

// The alternate stack and Syscall User Dispatch of this host thread; needed again after a fork.
long install_stack(void* stack, size_t size);
long dispatch_system_calls(bool on);

// The same natively: has the kernel send this thread's upcalls here, on that stack (host/native.h).
long take_upcalls(void* stack, size_t size);

// Natively: whether the program, or a copy from or to its memory (which answered EFAULT), found that the machine has no
// page left, since the last time that this was asked.
bool took_no_memory();

// Where a fault in the core itself is reported (never returns), with the registers in the order of gregset_t; set once
// at start.
using FaultReporter = void (*)(int signo, const siginfo_t& info, const long long* registers);
void set_fault_reporter(FaultReporter reporter);

}  // namespace osp::trap
