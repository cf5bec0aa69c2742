#pragma once

#include "libosp/memory/address_space.h"

// vfork(2) shares memory until the child calls execve or ends. Ours is a copy-on-write fork, so what the
// child wrote is brought over then: the pages that are its own alone (proc(5), pagemap bit 56).
namespace osp::task {

// In the child: writes the list of written ranges to the pipe, after the one byte that says so.
void send_written_pages(const memory::AddressSpace& memory, int pipe);
// In the parent, after that byte: reads the list, and the pages from the child, which waits.
void take_written_pages(int child, int pipe);

}  // namespace osp::task
