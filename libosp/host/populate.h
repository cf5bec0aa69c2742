#pragma once

#include <stdint.h>
#include <sys/mman.h>

#include "base/raw_syscall.h"

namespace osp::host {

// Gives the pages from `start`'s to the one before `end` what they need to be written to, all by one call instead of a
// page fault each (MADV_POPULATE_WRITE of madvise(2)). Without effect where the host does not know it (before Linux
// 5.14). No libc; signal-safe; not natively.
inline void populate(uintptr_t start, uintptr_t end) {
  constexpr uintptr_t page = 4096;
  start &= ~(page - 1);
  raw::syscall(SYS_madvise, start, end - start, MADV_POPULATE_WRITE);  // which rounds the size up
}

}  // namespace osp::host
