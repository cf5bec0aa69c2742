#pragma once

#include "libosp/host/boot.h"

namespace osp::preload {

// Fills in what the host's kernel keeps for this thread and the core would overwrite: fs, robust list, tid
// address, signal mask; and blocks all signals, since their handlers must not run while the core starts.
void save_host_state(host::ProgramStart& start);

// Ends glibc's registration of restartable sequences (rseq(2)): it would outlive an execve in place, and
// the kernel would write to memory that is another's by then. False when the kernel refuses.
bool unregister_rseq(const host::ProgramStart& start);

}  // namespace osp::preload
