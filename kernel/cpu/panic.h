#pragma once

#include <cstdint>

#include "kernel/cpu/frame.h"

namespace osp::kernel {

// The kernel has gone wrong: says so with a stack trace, and ends the machine (status 134).
[[noreturn]] void panic(const char* why);
[[noreturn]] void panic(const char* why, const TrapFrame& frame);

// Lines of the log (kernel/device/console.h): registers, and return addresses by frame pointers.
void log_registers(const TrapFrame& frame);
void log_program_stack(const TrapFrame& frame);

}  // namespace osp::kernel
