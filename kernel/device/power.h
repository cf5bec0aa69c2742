#pragma once

namespace osp::kernel {

// Writes "exit STATUS" to the second debug console and switches the machine off (QEMU's isa-debug-exit).
[[noreturn]] void end_machine(int status);

// The same with a second line, "failed WHAT: WHY": it is not task core that gave the status.
[[noreturn]] void fail_machine(int status, const char* what, const char* why);

}  // namespace osp::kernel
