#pragma once

#include <signal.h>

#include <string_view>

#include "libosp/linux/table.h"

// osp-run --trace: each call with decoded arguments, like strace(1).
namespace osp::linux {

// Opens the trace's file ("" for stderr). ENOENT, EACCES…: as open(2).
Result<void> trace_to(const std::string& path);

// Natively: lines go to `write`.
void trace_with(void (*write)(std::string_view text));

// Before a call (its string arguments may change) and after it: one line `[tid] name(args) = result`.
void trace_begin(const Call& call, const Entry& entry);
void trace_end(const Call& call, const Entry& entry, long result);
// A signal that is delivered, not one that is ignored: one line `[tid] --- SIGx {code, sender or address} ---`.
void trace_signal(const task::Thread& thread, const siginfo_t& info);

}  // namespace osp::linux
