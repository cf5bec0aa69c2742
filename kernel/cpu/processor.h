#pragma once

#include <atomic>
#include <cstdint>

#include "kernel/cpu/descriptors.h"
#include "kernel/cpu/layout.h"
#include "kernel/task/run_queue.h"
#include "kernel/task/timer.h"

namespace osp::kernel {

class Space;
struct Thread;

inline constexpr uint32_t max_processors = 64;

// What belongs to one processor; gs points to it in the kernel. Others use what is atomic or has a lock.
struct Processor {
  Processor* self = this;
  uint64_t kernel_stack = 0;  // the top of the current thread's
  uint64_t user_stack = 0;
  Thread* current = nullptr;

  Thread* idle = nullptr;
  Thread* previous = nullptr;      // that `current` took over from
  Thread* vector_owner = nullptr;  // whose vector registers are loaded
  Space* loaded = nullptr;         // null: the kernel's own page tables
  uint32_t index = 0;
  uint32_t apic_id = 0;

  RunQueue queue;
  Thread* handed = nullptr;  // woken here, and next; only this processor looks at it
  TimerQueue timers;
  std::atomic<bool> idles = false;      // it halts, or is about to
  std::atomic<bool> has_slice = false;  // its timer ends the current thread's turn
  int64_t slice_end_ns = 0;
  int64_t armed_ns = INT64_MAX;  // when the timer interrupt comes at the latest

  std::atomic<uint64_t> flush_asked = 0, flush_done = 0;  // shoot-downs, see kernel/memory/shootdown.h

  Descriptors descriptors;
};
static_assert(offsetof(Processor, kernel_stack) == OSP_PROCESSOR_KERNEL_STACK);
static_assert(offsetof(Processor, user_stack) == OSP_PROCESSOR_USER_STACK);
static_assert(offsetof(Processor, current) == OSP_PROCESSOR_CURRENT);

// The processor that this runs on. Stays true until the thread gives up the processor.
inline Processor& here() {
  Processor* processor;
  asm volatile("mov %%gs:0, %0" : "=r"(processor));
  return *processor;
}

// The same wherever the thread goes on, so it need not be read again.
inline Thread& current() {
  Thread* thread;
  asm("mov %%gs:%c1, %0" : "=r"(thread) : "i"(OSP_PROCESSOR_CURRENT));
  return *thread;
}

[[nodiscard]] uint32_t processor_count();
[[nodiscard]] Processor& processor(uint32_t index);

// Makes the next processor's structure; null: no memory, or too many.
[[nodiscard]] Processor* make_processor();

// Turns on what the kernel needs on this very processor, and makes it `processor`. Panics where something is missing.
void start_processor(Processor& processor);

}  // namespace osp::kernel
