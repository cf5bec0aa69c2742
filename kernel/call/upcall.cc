#include "kernel/task/upcall.h"

#include <cerrno>

#include "kernel/call/calls.h"
#include "kernel/cpu/processor.h"
#include "kernel/cpu/user_copy.h"
#include "kernel/task/task.h"

namespace osp::kernel::call {

long upcall_set(const native::Upcall* user) {
  native::Upcall upcall;
  if (user != nullptr)
    if (const long result = load_user(user, upcall); result != 0) return result;
  if (upcall.handler >= user_end || upcall.stack_top >= user_end || upcall.syscall_entry >= user_end) return -EINVAL;
  Thread& thread = current();
  thread.handler = upcall.handler;
  thread.handler_stack = upcall.stack_top;
  thread.syscall_entry = upcall.syscall_entry;
  leave_handler();
  return 0;
}

long upcall_return(const native::Frame* user) {
  native::Frame registers;
  if (const long result = load_user(user, registers); result != 0) return result;
  if (registers.rip >= user_end) return -EINVAL;
  go_on_with(current().frame(), registers);
  leave_handler();
  return static_cast<long>(registers.rax);
}

// An address that is none is a fault at its first instruction, as it is after an iretq.
long resume(const native::Resume* user) {
  native::Resume to;
  static_assert(sizeof to == 64);
  if (!user_may_own(user, sizeof *user) || copy_line(&to, user) != 0) return -EFAULT;
  TrapFrame& frame = current().frame();
  frame.rip = to.rip;
  frame.rdi = to.rdi;
  frame.flags = user_flags(to.flags);
  frame.rsp = to.rsp;
  frame.rcx = to.rcx;
  frame.r11 = to.r11;
  if (to.rip >= user_end) current().attention.fetch_or(attend_bad_address);
  return static_cast<long>(to.rax);
}

long notify_set(int handle) {
  Thread& thread = current();
  Held<Queue> queue = thread.task->handles().find<Queue>(handle);
  if (!queue && static_cast<uint32_t>(handle) != native::no_handle) return -EBADF;
  if (queue && !queue->notify(&thread)) return -EBUSY;
  if (thread.notifier != nullptr) {
    if (thread.notifier != queue.get()) thread.notifier->forget_notified(thread);
    thread.notifier->drop();
  }
  thread.notifier = queue.release();
  return 0;
}

long timer_set(uint64_t deadline_ns) {
  Thread& thread = current();
  cancel(thread.tick);
  thread.pending.fetch_and(~pending_tick);
  if (deadline_ns != 0) here().timers.set(thread.tick, deadline_of(deadline_ns));
  return 0;
}

long null_call() { return 0; }

}  // namespace osp::kernel::call
