#include <cerrno>

#include "kernel/cpu/apic.h"
#include "kernel/cpu/panic.h"
#include "kernel/cpu/processor.h"
#include "kernel/cpu/registers.h"
#include "kernel/cpu/user_copy.h"
#include "kernel/device/interrupts.h"
#include "kernel/memory/shootdown.h"
#include "kernel/memory/space.h"
#include "kernel/task/schedule.h"
#include "kernel/task/timer.h"
#include "kernel/task/upcall.h"

extern "C" {
extern const char osp_user_copy_start[], osp_user_copy_end[], osp_copy_failed[];
void osp_trap(osp::kernel::TrapFrame* frame);
}

namespace osp::kernel {
namespace {

constexpr uint64_t non_maskable = 2, double_fault = 8, protection_fault = 13, page_fault = 14, machine_check = 18,
                   exceptions = 32;

// Faults of the kernel's own are only right where it touches memory that ring 3 named.
void handle_kernel_fault(TrapFrame& frame) {
  const uint64_t address = cpu::read_cr2();
  const bool copies = frame.rip >= reinterpret_cast<uint64_t>(osp_user_copy_start) &&
                      frame.rip < reinterpret_cast<uint64_t>(osp_user_copy_end);
  const bool may_retry = frame.vector == page_fault && address < user_end;
  if (!copies || (!may_retry && frame.vector != protection_fault)) panic("a fault in the kernel", frame);
  Space* space = current().space;
  if (may_retry && space != nullptr && space->fault(address, frame.error) == 0) return;
  frame.rip = reinterpret_cast<uint64_t>(osp_copy_failed);
}

void handle_exception(TrapFrame& frame) {
  if (frame.vector == non_maskable || frame.vector == double_fault || frame.vector == machine_check)
    panic("an exception that the kernel cannot handle", frame);
  if (!frame.from_user()) return handle_kernel_fault(frame);
  const uint64_t address = frame.vector == page_fault ? cpu::read_cr2() : 0;
  long result = -EFAULT;
  if (frame.vector == page_fault) result = current().space->fault(address, frame.error);
  if (result != 0) handle_program_fault(frame, address, result);
}

void handle_interrupt(uint64_t vector) {
  if (vector == vector_spurious) return;
  if (vector >= vector_lines && vector < vector_lines + line_count)
    handle_line(static_cast<uint32_t>(vector - vector_lines)), end_turn();
  if (vector == vector_timer) handle_timer();
  if (vector == vector_flush) answer_shootdown();
  if (vector == vector_wake) see_new_work();
  end_interrupt();
}

}  // namespace
}  // namespace osp::kernel

void osp_trap(osp::kernel::TrapFrame* frame) {
  using namespace osp::kernel;
  frame->vector < exceptions ? handle_exception(*frame) : handle_interrupt(frame->vector);
}
