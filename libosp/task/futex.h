#pragma once

#include <cstdint>
#include <list>
#include <unordered_map>

#include "libosp/task/thread.h"

namespace osp::task {

// futex(2) among the threads of this process, by address. A word in memory that other processes share is
// waited for in the host (linux/sys_futex.cc).
class Futexes {
 public:
  // Parks the caller if the word still holds `expected`: 0 when woken, -EAGAIN, -EFAULT, -ETIMEDOUT, or
  // restart_sys when a signal came. The deadline is the host's CLOCK_MONOTONIC in ns; 0: none.
  long wait(Thread& thread, uint32_t* word, uint32_t expected, uint32_t bitset, uint64_t deadline_ns);
  // Wakes up to `count` waiters whose bitset shares a bit; returns how many.
  long wake(uint32_t* word, uint32_t bitset, long count);
  // Moves up to `move` of those not woken to another word; returns woken + moved.
  long requeue(uint32_t* word, long wake_count, uint32_t* target, long move);
  void clear() { waiters_.clear(); }

 private:
  struct Waiter {
    Thread* thread;
    uint32_t bitset;
    bool woken = false;
    uint32_t* word;
  };
  using Queue = std::list<Waiter*>;
  std::unordered_map<uint32_t*, Queue> waiters_;
};

}  // namespace osp::task
