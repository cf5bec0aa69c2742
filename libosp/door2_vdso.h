#pragma once

#include "libosp/door2_memory.h"
#include "libosp/task/process.h"

namespace osp::door2 {

// Gives the program our vDSO. Its loader and libc have looked up the kernel's functions already and keep
// their addresses, so the kernel's pages are replaced by a copy whose functions go on to ours: time then
// comes from the core, and a checkpoint holds no page of this kernel. Where the kernel does not let go of
// its pages (sealed mappings), the program keeps them. Errors of mmap(2).
Result<void> replace_vdso(task::Process& process, const host::KernelPages& pages);

}  // namespace osp::door2
