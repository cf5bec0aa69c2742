#pragma once

#include "tools/unpack/outcome.h"
#include "tools/unpack/progress.h"

namespace osp::unpack {

// SHA-256 of what `fd` holds from its start, in hexadecimal digits. The error is errno's.
Outcome<std::string> sha256_of(int fd, Progress& progress);

}  // namespace osp::unpack
