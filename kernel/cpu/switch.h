#pragma once

#include <cstdint>

namespace osp::kernel {

// Others run on this processor until somebody switches back: leaves this stack, whose pointer goes to *save, for the
// one that was left with `load`. A stack that nobody has left yet begins with the address of an instruction. Inline, so
// that the compiler keeps what it needs, and no more.
inline void switch_stacks(uint64_t* save, uint64_t load) {
  asm volatile(
      "push %%rbp\n"
      "push $1f\n"
      "mov %%rsp, (%0)\n"
      "mov %1, %%rsp\n"
      "ret\n"
      "1: pop %%rbp"
      : "+D"(save), "+S"(load)
      :
      : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
}

}  // namespace osp::kernel
