#pragma once

#include "libosp/host/boot.h"

namespace osp {

// Takes over the host's signals, loads the program (or takes over the one that runs), and runs it. Exits
// with 125, 126 or 127 as env(1) does where that fails, having said why.
[[noreturn]] void start_program(const host::BootBlock& boot);

}  // namespace osp
