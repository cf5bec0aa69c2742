#pragma once

namespace osp::task {

// osp_blocking_syscall (trap/frame.h) for a thread that may occupy its worker: the core lock is given up meanwhile, so
// other workers go on, and a signal that one of them takes for this thread ends the call. What another fiber may change
// must be looked at again afterwards; the worker is the same.
// Where another worker has given the thread a signal already, the call is not begun (OSP_NOT_BEGUN).
long interruptible_call(long nr, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0);
// The same for what goes on whatever signals wait.
long blocking_call(long nr, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0);

}  // namespace osp::task
