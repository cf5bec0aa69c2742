#pragma once

#include "libosp/memory/address_space.h"
#include "libosp/task/vfork_layout.h"

// vfork(2) shares memory until the child calls execve or ends. Ours is a copy-on-write fork, so what the
// child did is brought over then: what it mapped and unmapped, and the pages that are its own alone (proc(5), pagemap
// bit 56).
namespace osp::task {

// In the child: writes its layout to the socket if it is no longer `before`, and the list of written ranges.
void send_memory(const memory::AddressSpace& memory, const Layout& before, int fd);
// In the parent: waits for both, reads them, and the pages from the child, which waits. Nothing if the child ends
// before.
void take_memory(Process& parent, int child, int fd);

}  // namespace osp::task
