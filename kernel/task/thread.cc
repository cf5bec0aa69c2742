#include "kernel/task/thread.h"

#include <new>

#include "kernel/cpu/panic.h"
#include "kernel/cpu/processor.h"
#include "kernel/cpu/user_copy.h"
#include "kernel/cpu/vector_state.h"
#include "kernel/library/bytes.h"
#include "kernel/memory/kernel_space.h"
#include "kernel/memory/space.h"
#include "kernel/task/futex.h"
#include "kernel/task/schedule.h"
#include "kernel/task/task.h"
#include "kernel/task/timer.h"

extern "C" {
void osp_thread_start();
void osp_idle_start();
}

namespace osp::kernel {
namespace {

Thread* allocate_thread() {
  const uint64_t page = allocate_page();
  const uint64_t stack = page == 0 ? 0 : make_kernel_stack();
  if (stack == 0) {
    if (page != 0) drop_page(page);
    return nullptr;
  }
  auto* thread = new (physical_pointer(page)) Thread;
  thread->stack_top = stack;
  return thread;
}

void free_thread(Thread& thread) {
  drop_kernel_stack(thread.stack_top);
  drop_page(physical_address(&thread));
}

void begin_at(Thread& thread, void (*start)()) {
  const uint64_t top = thread.stack_top - sizeof(TrapFrame) - sizeof(uint64_t);
  new (reinterpret_cast<void*>(top)) uint64_t(reinterpret_cast<uint64_t>(start));  // for switch_stacks()
  thread.stack_pointer = top;
}

uint32_t quietest_processor() {
  if (here().current == here().idle) return here().index;
  for (uint32_t i = 0; i < processor_count(); ++i)
    if (processor(i).idles.load(std::memory_order_relaxed)) return i;
  return here().index;
}

// Tells who waits for the thread that it has ended (set_tid_address).
void clear_word(Thread& thread) {
  if (thread.cleared_word == nullptr || store_user_word(thread.cleared_word, 0) != 0) return;
  (void)wake_futex(thread.cleared_word, 1, ~uint32_t{0});
}

}  // namespace

Thread* make_thread(Task& task, Space& space, const TrapFrame& frame) {
  Thread* thread = allocate_thread();
  if (thread == nullptr) return nullptr;
  thread->task = &task;
  thread->number = next_thread_number();
  thread->frame() = frame;
  clear_vector_state(*thread);
  begin_at(*thread, osp_thread_start);
  if (!task.add_thread(*thread)) {
    free_thread(*thread);
    return nullptr;
  }
  space.hold();
  thread->space = &space;
  return thread;
}

Thread& make_idle_thread(uint32_t processor) {
  Thread* thread = allocate_thread();
  if (thread == nullptr) panic("no memory for a processor's idle thread");
  thread->processor = processor;
  begin_at(*thread, osp_idle_start);
  return *thread;
}

void start_thread(Thread& thread) {
  thread.processor = quietest_processor();
  make_ready(thread);
}

void end_current_thread(int status) {
  Thread& thread = current();
  clear_word(thread);
  if (thread.notifier != nullptr) {
    thread.notifier->forget_notified(thread);
    thread.notifier->drop();
  }
  for (const NamedQueue& named : {thread.sends_to, thread.receives_from})
    if (named.queue != nullptr) named.queue->drop();
  cancel(thread.tick);
  Task& task = *thread.task;
  Space* space = thread.space;
  thread.dead = true;
  space->drop();
  task.remove_thread(thread, status);
  switch_away();
  panic("a thread goes on after its end");
}

void bury(Thread& thread) { free_thread(thread); }

}  // namespace osp::kernel
