#pragma once

namespace osp::kernel {

// Writes "exit STATUS" to the second debug console and switches the machine off (QEMU's isa-debug-exit).
[[noreturn]] void end_machine(int status);

}  // namespace osp::kernel
