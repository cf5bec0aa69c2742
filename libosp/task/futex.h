#pragma once

#include <array>
#include <cstdint>

#include "libosp/task/thread.h"

namespace osp::task {

// futex(2) among the threads of this process, by address. A word in memory that other processes share is
// waited for in the host (linux/sys_futex.cc).
class Futexes {
 public:
  // Parks the caller if the word still holds `expected`: 0 when woken, -EAGAIN, -EFAULT, -ETIMEDOUT, or
  // restart_sys when a signal came. The deadline is the host's CLOCK_MONOTONIC in ns; 0: none.
  long wait(Thread& thread, uint32_t* word, uint32_t expected, uint32_t bitset, uint64_t deadline_ns);
  // Wakes up to `count` waiters whose bitset shares a bit, those that came first; returns how many.
  long wake(uint32_t* word, uint32_t bitset, long count);
  // Moves up to `move` of those not woken to another word; returns woken + moved.
  long requeue(uint32_t* word, long wake_count, uint32_t* target, long move);
  void clear() { buckets_ = {}; }

 private:
  // On the stack of the one who waits; linked while it is not woken.
  struct Waiter {
    Thread* thread;
    uint32_t bitset;
    bool woken;
    uint32_t* word;
    Waiter *next, *previous;
  };
  // Those who wait for words that share it, in the order in which they came.
  struct Bucket {
    Waiter *first = nullptr, *last = nullptr;
  };
  static constexpr unsigned bucket_bits = 6;

  Bucket& bucket_of(const uint32_t* word);
  void add(Waiter& waiter);
  void remove(Waiter& waiter);

  std::array<Bucket, 1 << bucket_bits> buckets_ = {};
};

}  // namespace osp::task
