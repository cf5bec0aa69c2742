#include "kernel/cpu/panic.h"

#include <atomic>

#include "kernel/cpu/registers.h"
#include "kernel/cpu/user_copy.h"
#include "kernel/device/console.h"
#include "kernel/device/power.h"
#include "kernel/library/text.h"
#include "kernel/memory/kernel_space.h"

namespace osp::kernel {
namespace {

constexpr int max_depth = 24;
constexpr int status_of_panic = 134;

constinit std::atomic<bool> panicking = false;

struct StackFrame {
  uint64_t next, back;
};

void log_kernel_stack(uint64_t frame_pointer) {
  for (int depth = 0; depth < max_depth && is_kernel_stack(frame_pointer, sizeof(StackFrame)); ++depth) {
    const auto* frame = reinterpret_cast<const StackFrame*>(frame_pointer);
    log("  from ", Hex{frame->back});
    if (frame->next <= frame_pointer) return;
    frame_pointer = frame->next;
  }
}

void begin_panic(const char* why) {
  if (panicking.exchange(true)) cpu::stop();
  take_console_for_good();
  log("panic: ", why);
}

}  // namespace

void log_registers(const TrapFrame& f) {
  log("  rip ", Hex{f.rip}, " cs ", Hex{f.cs}, " flags ", Hex{f.flags}, " rsp ", Hex{f.rsp}, " vector ", f.vector,
      " error ", Hex{f.error}, " cr2 ", Hex{cpu::read_cr2()});
  log("  rax ", Hex{f.rax}, " rbx ", Hex{f.rbx}, " rcx ", Hex{f.rcx}, " rdx ", Hex{f.rdx}, " rsi ", Hex{f.rsi}, " rdi ",
      Hex{f.rdi}, " rbp ", Hex{f.rbp});
  log("  r8 ", Hex{f.r8}, " r9 ", Hex{f.r9}, " r10 ", Hex{f.r10}, " r11 ", Hex{f.r11}, " r12 ", Hex{f.r12}, " r13 ",
      Hex{f.r13}, " r14 ", Hex{f.r14}, " r15 ", Hex{f.r15});
}

void log_program_stack(const TrapFrame& frame) {
  uint64_t at = frame.rbp;
  for (int depth = 0; depth < max_depth; ++depth) {
    StackFrame entry;
    if (at % 8 != 0 || load_user(reinterpret_cast<const StackFrame*>(at), entry) != 0) return;
    log("  from ", Hex{entry.back});
    if (entry.next <= at) return;
    at = entry.next;
  }
}

void panic(const char* why) {
  begin_panic(why);
  log_kernel_stack(reinterpret_cast<uint64_t>(__builtin_frame_address(0)));
  fail_machine(status_of_panic, "panic", why);
}

void panic(const char* why, const TrapFrame& frame) {
  begin_panic(why);
  log_registers(frame);
  log_kernel_stack(frame.rbp);
  fail_machine(status_of_panic, "panic", why);
}

}  // namespace osp::kernel
