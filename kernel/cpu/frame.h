#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/cpu/layout.h"

namespace osp::kernel {

// The registers of what was interrupted, at the top of the thread's kernel stack (kernel/cpu/entry.S).
struct TrapFrame {
  uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
  uint64_t vector, error;
  uint64_t rip, cs, flags, rsp, ss;

  [[nodiscard]] bool from_user() const { return (cs & 3) != 0; }
};
static_assert(offsetof(TrapFrame, r11) == OSP_FRAME_R11 && offsetof(TrapFrame, rax) == OSP_FRAME_RAX &&
              offsetof(TrapFrame, rcx) == OSP_FRAME_RCX && offsetof(TrapFrame, rdi) == OSP_FRAME_RDI &&
              offsetof(TrapFrame, r10) == OSP_FRAME_R10 && offsetof(TrapFrame, r9) == OSP_FRAME_R9 &&
              offsetof(TrapFrame, r8) == OSP_FRAME_R8 && offsetof(TrapFrame, rdx) == OSP_FRAME_RDX &&
              offsetof(TrapFrame, rsi) == OSP_FRAME_RSI && offsetof(TrapFrame, rip) == OSP_FRAME_RIP &&
              offsetof(TrapFrame, flags) == OSP_FRAME_FLAGS && offsetof(TrapFrame, rsp) == OSP_FRAME_RSP &&
              offsetof(TrapFrame, cs) == OSP_FRAME_CS);

// The end of what ring 3 may use: the last page below the hole is left out, so that no `syscall` returns into it.
inline constexpr uint64_t user_end = 0x7fff'ffff'f000;

// The flags that ring 3 may choose (carry … zero, sign, trap, direction, overflow, alignment check, ID), with
// interrupts on.
constexpr uint64_t user_flags(uint64_t flags) { return (flags & 0x24'0dd5) | 0x202; }

}  // namespace osp::kernel
