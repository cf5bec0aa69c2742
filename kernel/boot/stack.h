#pragma once

#include <cstdint>

#include "kernel/boot/image.h"
#include "kernel/boot/load.h"
#include "kernel/task/task.h"

namespace osp::kernel {

// Writes arguments, environment, aux vector and BootInfo to the top of the task's boot stack, and gives it handles for
// the queues of the other tasks; the stack pointer at its entry. 0: no memory.
[[nodiscard]] uint64_t write_stack(Task& task, const ImageAddresses& image, const BootArchive& archive);

}  // namespace osp::kernel
