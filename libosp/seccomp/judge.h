#pragma once

#include <optional>

#include "libosp/task/thread.h"

namespace osp::seccomp {

// What becomes of the system call that a confined thread is about to make: nothing stands in its way, or the result
// that it has without being made. May force SIGSYS on the thread, make it leave, or end the process.
std::optional<long> judge(task::Thread& thread);

}  // namespace osp::seccomp
