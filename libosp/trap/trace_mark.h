#pragma once

namespace osp::trap {

// In si_errno of the control signal (raw_handler.h), queued by another process of the environment that traces us or
// that we trace: there is something to be seen in their table (ptrace/table.h). Also of SIGCONT, for one that the host
// had stopped: then it is not the program's.
inline constexpr int trace_mark = 0x6f7371;

// Whether it has come since the last time that this was asked. Signal-safe.
bool took_trace_mark();

}  // namespace osp::trap
