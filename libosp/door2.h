#pragma once

#include "libosp/host/boot.h"
#include "libosp/task/process.h"

namespace osp {

// Door 2: takes over the program that runs in this process already. Its memory becomes the process's map,
// its vDSO is replaced by ours, and `thread` goes on behind the shim's call. Signal dispositions are not
// taken here (start.cc). The errors are of reading /proc/self (ENOENT EACCES), EBUSY when the program has
// threads already, and those of mmap(2).
Result<void> adopt_program(task::Thread& thread, const host::BootBlock& boot);

}  // namespace osp
