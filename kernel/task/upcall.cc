#include "kernel/task/upcall.h"

#include "kernel/cpu/panic.h"
#include "kernel/cpu/processor.h"
#include "kernel/cpu/user_copy.h"
#include "kernel/device/console.h"
#include "kernel/device/power.h"
#include "kernel/task/schedule.h"
#include "kernel/task/task.h"
#include "kernel/task/wait.h"

namespace osp::kernel {
namespace {

constexpr uint64_t protection_fault = 13;
constexpr int status_of_fault = 139;  // as a shell has it for SIGSEGV

native::Frame registers_of(const TrapFrame& f) {
  return {.r8 = f.r8,
          .r9 = f.r9,
          .r10 = f.r10,
          .r11 = f.r11,
          .r12 = f.r12,
          .r13 = f.r13,
          .r14 = f.r14,
          .r15 = f.r15,
          .rdi = f.rdi,
          .rsi = f.rsi,
          .rbp = f.rbp,
          .rbx = f.rbx,
          .rdx = f.rdx,
          .rax = f.rax,
          .rcx = f.rcx,
          .rsp = f.rsp,
          .rip = f.rip,
          .flags = f.flags,
          .event = {},
          .error = f.error,
          .trap = f.vector,
          .reserved = 0,
          .address = 0};
}

void tell_event(TrapFrame& frame, Thread& thread) {
  const uint32_t pending = thread.pending.load();
  const uint32_t event = (pending & pending_tick) != 0 ? pending_tick : pending_message;
  const auto name = event == pending_tick ? native::Event::tick : native::Event::message;
  thread.pending.fetch_and(~event);
  if ((pending & ~event) == 0) thread.attention.fetch_and(~attend_event);
  if (thread.pending.load() != 0) thread.attention.fetch_or(attend_event);
  if (!raise_upcall(frame, name, 0)) handle_program_fault(frame, thread.handler_stack, -EFAULT);
}

}  // namespace

void go_on_with(TrapFrame& to, const native::Frame& from) {
  to.r8 = from.r8, to.r9 = from.r9, to.r10 = from.r10, to.r11 = from.r11;
  to.r12 = from.r12, to.r13 = from.r13, to.r14 = from.r14, to.r15 = from.r15;
  to.rdi = from.rdi, to.rsi = from.rsi, to.rbp = from.rbp, to.rbx = from.rbx;
  to.rdx = from.rdx, to.rax = from.rax, to.rcx = from.rcx;
  to.rsp = from.rsp, to.rip = from.rip, to.flags = user_flags(from.flags);
}

bool raise_upcall(TrapFrame& frame, native::Event event, uint64_t address) {
  Thread& thread = current();
  if (!thread.takes_upcalls()) return false;
  native::Frame registers = registers_of(frame);
  registers.event = event;
  registers.address = address;
  const uint64_t place = (thread.handler_stack - sizeof registers) & ~uint64_t{15};
  if (store_user(reinterpret_cast<native::Frame*>(place), registers) != 0) return false;
  thread.in_handler.store(true);
  frame.rip = thread.handler;
  frame.rsp = place - sizeof(uint64_t);  // as after a call, for handlers in C++
  frame.rdi = place;
  frame.flags = user_flags(0);
  return true;
}

void leave_handler() {
  Thread& thread = current();
  thread.in_handler.store(false);
  if (thread.pending.load() != 0) thread.attention.fetch_or(attend_event);
}

void handle_program_fault(TrapFrame& frame, uint64_t address, long why) {
  Thread& thread = current();
  const bool no_memory = why == -ENOMEM;
  if (no_memory) frame.error |= native::fault_no_memory;
  if (why == -ENXIO) frame.error |= native::fault_behind_end;
  if (raise_upcall(frame, native::Event::fault, address)) return;
  log("task ", thread.task->name(), " thread ", thread.number, no_memory ? ": no memory left" : ": fault", " at ",
      Hex{address}, thread.in_handler.load() ? " in its handler" : "");
  log_registers(frame);
  log_program_stack(frame);
  if (thread.task->is_core()) fail_machine(status_of_fault, "task core", no_memory ? "no memory left" : "a fault");
  thread.task->end(status_of_fault);
}

}  // namespace osp::kernel

void osp_attend(osp::kernel::TrapFrame* frame) {
  using namespace osp::kernel;
  Thread& thread = current();
  while (const uint32_t attention = thread.attention.load()) {
    if ((attention & attend_end) != 0) end_current_thread(0);
    if ((attention & attend_bad_address) != 0) {
      thread.attention.fetch_and(~attend_bad_address);
      frame->vector = protection_fault, frame->error = 0;
      handle_program_fault(*frame, 0, -EFAULT);
    } else if ((attention & attend_turn) != 0) {
      thread.attention.fetch_and(~attend_turn);
      yield_turn();
    } else if (thread.takes_upcalls()) {
      tell_event(*frame, thread);
    } else {
      thread.attention.fetch_and(~attend_event);  // leave_handler() sets it again
    }
  }
}
