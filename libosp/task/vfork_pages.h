#pragma once

#include "libosp/memory/address_space.h"
#include "libosp/task/vfork_layout.h"

// vfork(2) shares memory until the child calls execve or ends. Ours is a copy-on-write fork, so what the
// child did is brought over then: what it mapped and unmapped, and the pages that are its own alone (proc(5), pagemap
// bit 56).
namespace osp::task {

// In the child: after the one byte that says so, writes its layout to the pipe if it is no longer `before`, and the
// list of written ranges.
void send_memory(const memory::AddressSpace& memory, const Layout& before, int pipe);
// In the parent, after that byte: reads both, and the pages from the child, which waits.
void take_memory(Process& parent, int child, int pipe);

}  // namespace osp::task
