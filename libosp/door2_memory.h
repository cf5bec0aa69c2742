#pragma once

#include "libosp/host/maps.h"
#include "libosp/memory/address_space.h"

namespace osp::door2 {

// Records what is mapped in this process, outside the core's window, as the program's, by /proc/self/maps.
// The stack (which `stack_pointer` is in) gets all the room that its limit allows, as the kernel would let
// it grow; brk goes on at the kernel's break. ENOENT, EACCES: /proc cannot be read. Raw system calls.
Result<host::KernelPages> adopt_memory(memory::AddressSpace& memory, uintptr_t stack_pointer);

}  // namespace osp::door2
