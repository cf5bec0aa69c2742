#pragma once

#include "libosp/file/files.h"
#include "libosp/linux/call.h"

namespace osp::linux {

// Of fcntl(2): what is done to locks.
bool is_lock_command(uint64_t command);
long lock_of_host(Call& call);
long lock_served(Call& call, file::Description& file);

}  // namespace osp::linux
