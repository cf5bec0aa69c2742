#pragma once

#include <stdint.h>

// How the core is entered, by a door or by the kernel: on a stack of its own in the window. Plain C types and no libc.
namespace osp::host {

struct CoreEntry {
  uint64_t headers, header_count;  // the core's program headers, in memory
  uint64_t start;                  // its _start
  const unsigned long* auxv;       // the host's, of which it is told what it needs
  uint64_t type, value;            // what it is told besides
};

// Maps the stack and enters. Returns only on failure, with minus mmap(2)'s errno. Raw system calls only.
long begin_core(const CoreEntry& entry);

}  // namespace osp::host
