#include "libosp/ptrace/registers.h"

#include <algorithm>
#include <cstring>

#include "libosp/ptrace/table.h"
#include "libosp/signal/frame.h"
#include "libosp/task/vector_state.h"
#include "libosp/trap/vector.h"

namespace osp::ptrace {
namespace {

constexpr uint64_t code_segment = 0x33, stack_segment = 0x2b;
constexpr uint64_t changeable_flags = 0x244dd5;  // FLAG_MASK in arch/x86/kernel/ptrace.c, and AC
constexpr uint64_t task_size = 0x7fff'ffff'f000;
constexpr size_t features_offset = 464;  // XCR0, where the kernel tells it (XSTATE_BV of the software's bytes)

}  // namespace

void publish_registers(task::Thread& thread, bool in_call, Body& body) {
  const trap::UserRegs& r = thread.regs;
  user_regs_struct u = {};
  u.r15 = r.r15, u.r14 = r.r14, u.r13 = r.r13, u.r12 = r.r12, u.r11 = r.r11, u.r10 = r.r10, u.r9 = r.r9, u.r8 = r.r8;
  u.rbp = r.rbp, u.rbx = r.rbx, u.rax = r.rax, u.rcx = r.rcx, u.rdx = r.rdx, u.rsi = r.rsi, u.rdi = r.rdi;
  u.rip = r.rip, u.rsp = r.rsp, u.eflags = r.flags, u.fs_base = r.fs_base;
  u.orig_rax = in_call ? r.orig_rax : ~uint64_t{0};
  u.cs = code_segment, u.ss = stack_segment;
  body.regs = u;
  task::save_vector_state(thread);
  body.vector_size = std::min(trap::vector::area_size(), body.vector.size());
  std::memcpy(body.vector.data(), r.vector, body.vector_size);
  const uint64_t features = trap::vector::components();
  std::memcpy(body.vector.data() + features_offset, &features, sizeof features);
  body.regs_changed = body.vector_changed = false;
}

void take_registers(task::Thread& thread, Body& body) {
  trap::UserRegs& r = thread.regs;
  r.full = 1;
  if (std::exchange(body.regs_changed, false)) {
    const user_regs_struct& u = body.regs;
    r.r15 = u.r15, r.r14 = u.r14, r.r13 = u.r13, r.r12 = u.r12, r.r11 = u.r11, r.r10 = u.r10, r.r9 = u.r9, r.r8 = u.r8;
    r.rbp = u.rbp, r.rbx = u.rbx, r.rax = u.rax, r.rcx = u.rcx, r.rdx = u.rdx, r.rsi = u.rsi, r.rdi = u.rdi;
    r.rip = u.rip, r.rsp = u.rsp;
    r.flags = (r.flags & ~changeable_flags) | (u.eflags & changeable_flags) | 0x202;
    if (u.fs_base < task_size) r.fs_base = u.fs_base;
  }
  if (!std::exchange(body.vector_changed, false)) return;
  task::drop_vector_state(thread);
  std::memcpy(r.vector, body.vector.data(), body.vector_size);
  signal::sanitise_vector(r.vector);
}

}  // namespace osp::ptrace
