#include "kernel/task/wait.h"

#include <cerrno>

#include "kernel/cpu/apic.h"
#include "kernel/cpu/processor.h"
#include "kernel/task/schedule.h"

namespace osp::kernel {
namespace {

static_assert(error_of(Wake::timeout) == -ETIMEDOUT && error_of(Wake::ended) == -EINTR);

// The thread may be in ring 3 on another processor, and has to come into the kernel to see what it is to attend.
void interrupt_thread(const Thread& thread) {
  if (!thread.on_processor.load()) return;
  Processor& its = processor(thread.processor);
  if (&its != &here()) send_interrupt(its.apic_id, vector_wake);
}

// What the thread must not sleep over.
Wake pending_reason(const Thread& thread) {
  const uint32_t attention = thread.attention.load();
  if ((attention & (attend_end | attend_event)) == 0) return Wake::waiting;
  if ((attention & attend_end) != 0) return Wake::ended;
  return (attention & attend_event) != 0 && thread.takes_upcalls() ? Wake::interrupted : Wake::waiting;
}

}  // namespace

void prepare_wait() { current().wait.store(Wake::waiting); }

Wake finish_wait(int64_t deadline_ns) {
  Thread& thread = current();
  if (const Wake reason = pending_reason(thread); reason != Wake::waiting) {
    Wake expected = Wake::waiting;
    if (thread.wait.compare_exchange_strong(expected, reason)) {
      thread.wait.store(Wake::running, std::memory_order_relaxed);
      return reason;
    }
  }
  if (deadline_ns != for_ever) here().timers.set(thread.deadline, deadline_ns);
  switch_away();  // even if it has been woken already: it is in a queue then, and must be taken out of it
  if (deadline_ns != for_ever) cancel(thread.deadline);
  return thread.wait.exchange(Wake::running);
}

bool wake(Thread& thread, Wake reason) {
  Wake expected = Wake::waiting;
  if (!thread.wait.compare_exchange_strong(expected, reason)) return false;
  make_ready(thread);
  return true;
}

uint32_t wake_some(WaiterList& waiters, uint32_t count) {
  uint32_t woken = 0;
  while (woken < count) {
    Waiter* waiter = waiters.pop_front();
    if (waiter == nullptr) return woken;
    const bool watches = waiter->watches;
    if (wake(waiter->thread, Wake::woken) && !watches) ++woken;
  }
  return woken;
}

void post_event(Thread& thread, uint32_t event) {
  thread.pending.fetch_or(event);
  thread.attention.fetch_or(attend_event);
  if (thread.takes_upcalls() && !wake(thread, Wake::interrupted)) interrupt_thread(thread);
}

void post_end(Thread& thread) {
  thread.attention.fetch_or(attend_end);
  if (!wake(thread, Wake::ended)) interrupt_thread(thread);
}

}  // namespace osp::kernel
