#pragma once

#include "libosp/host/native.h"

namespace osp::native {

// Runs the program of the boot record, in a name space whose root is the boot archive's. With the worker's gs in place
// and nothing else of the core's begun. The end of the program is the machine's.
[[noreturn]] void start(const BootInfo& info);

}  // namespace osp::native
