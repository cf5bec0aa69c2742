#pragma once

#include <memory>

#include "libosp/native/processes.h"
#include "pip/server.h"

namespace osp::native {

// /proc natively (proc(5)): a directory for each process, self, and what programs ask of the machine. Read-only; a file
// says what is so when it is opened. `processes` is borrowed for ever.
std::shared_ptr<pip::Server> proc_tree(Processes& processes);

}  // namespace osp::native
