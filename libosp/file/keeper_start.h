#pragma once

#include "base/result.h"
#include "libosp/host/boot.h"

namespace osp::keeper {

// Starts osp-keeper as a process of its own, which is nobody's child and in no session of the program's. Returns our
// end of its control socket, kept above the program's fds. ENOENT: it is not where osp-core or the tools are.
Result<int> start();

void remember(const host::BootBlock& boot);

}  // namespace osp::keeper
