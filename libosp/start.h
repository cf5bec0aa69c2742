#pragma once

#include "libosp/host/boot.h"
#include "namespace/ns_apply.h"

namespace osp {

// Takes over the host's signals, makes the name space, with what `servers` has for the names in it, loads the program
// (or takes over the one that runs), and runs it. Exits with 125, 126 or 127 as env(1) does where that fails, having
// said why.
[[noreturn]] void start_program(const host::BootBlock& boot, ns::ServerFactory& servers);

}  // namespace osp
