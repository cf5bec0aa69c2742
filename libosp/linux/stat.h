#pragma once

#include <cstdint>

#include "pip/server.h"

namespace osp::linux {

// Writes a struct stat (stat(2)) or statx (with `mask`) to the program: 0 or -EFAULT.
long put_stat(uint64_t address, const pip::Attributes& attributes);
long put_statx(uint64_t address, const pip::Attributes& attributes);

// st_dev of files that the host does not serve: of no device of the host's.
inline constexpr uint64_t served_device = 0x0ff0'0001;

}  // namespace osp::linux
