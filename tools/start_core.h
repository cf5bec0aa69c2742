#pragma once

#include <string>

#include "libosp/host/boot.h"

// Starting the core in this process, which never comes back from it.
namespace osp::tools {

// Jumps to the core. Returns only on failure: what it was and what to do about it, for a person.
std::string enter_core(const host::BootBlock& block);

}  // namespace osp::tools
