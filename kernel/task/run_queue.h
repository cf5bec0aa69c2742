#pragma once

#include <atomic>

#include "kernel/library/list.h"
#include "kernel/library/lock.h"

namespace osp::kernel {

struct Thread;

// The threads that wait for one processor, in the order in which they will have it: first come, first served. Threads
// with a deadline of their own will be put before the others by add(), in the order of their deadlines; nothing else
// knows the order.
class RunQueue {
 public:
  void add(Thread& thread);

  // The next thread, taken out; null: none waits.
  Thread* take();

  // One for another processor: the first whose registers have all been saved.
  Thread* steal();

  [[nodiscard]] bool empty() const { return count_.load(std::memory_order_acquire) == 0; }

 private:
  Spinlock lock_;
  List<Thread, RunQueue> threads_;
  std::atomic<uint32_t> count_ = 0;
};

}  // namespace osp::kernel
