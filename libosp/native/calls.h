#pragma once

#include "libosp/linux/call.h"

// The handlers of calls.def: system calls that on Linux are the host's, in whole or in part.
namespace osp::native {}  // namespace osp::native
