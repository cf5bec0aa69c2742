#pragma once

#include <sys/rseq.h>

#include "base/raw_syscall.h"

namespace osp::tools {

// Takes back what our libc told the kernel by rseq(2), before the core is started in this process: the kernel would go
// on writing to that memory, where the program's may lie by then, and kill for what it finds there.
inline void unregister_rseq() {
  constexpr int unregister = 1;
  constexpr long area_size = 32;  // what glibc registers
  char* const thread = static_cast<char*>(__builtin_thread_pointer());
  if (__rseq_size != 0) raw::syscall(SYS_rseq, thread + __rseq_offset, area_size, unregister, RSEQ_SIG);
}

}  // namespace osp::tools
