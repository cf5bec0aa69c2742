#include "kernel/task/run_queue.h"

#include "kernel/task/thread.h"

namespace osp::kernel {

void RunQueue::add(Thread& thread) {
  Locked guard(lock_);
  threads_.push_back(thread);
  count_.store(count_.load(std::memory_order_relaxed) + 1);
}

Thread* RunQueue::take() {
  if (empty()) return nullptr;
  Locked guard(lock_);
  Thread* thread = threads_.pop_front();
  if (thread != nullptr) count_.store(count_.load(std::memory_order_relaxed) - 1, std::memory_order_release);
  return thread;
}

Thread* RunQueue::steal() {
  Locked guard(lock_);
  for (Thread* thread = threads_.first(); thread != nullptr; thread = threads_.after(*thread)) {
    if (thread->on_processor.load(std::memory_order_acquire)) continue;
    threads_.remove(*thread);
    count_.store(count_.load(std::memory_order_relaxed) - 1, std::memory_order_release);
    return thread;
  }
  return nullptr;
}

}  // namespace osp::kernel
