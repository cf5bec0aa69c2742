#pragma once

#include "libosp/file/files.h"
#include "libosp/linux/call.h"

namespace osp::native {

// Whether fcntl(2) with this command is about locks, and such a call. EAGAIN EDEADLK EBADF EINVAL EOVERFLOW EFAULT.
bool is_lock_command(uint64_t command);
long lock_range(linux::Call& call, file::Description& file);

}  // namespace osp::native
