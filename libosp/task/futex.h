#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "libosp/task/thread.h"
#include "libosp/trap/fast.h"

namespace osp::task {

// Which word it is: of the process's own memory, or natively of memory that several processes share.
struct FutexKey {
  const void* memory = nullptr;  // memory::Backing::pages; null: the process's own
  uint64_t at = 0;               // where in it, or the address
  bool operator==(const FutexKey&) const = default;
};

struct FutexWord;
struct FutexWanted;

// futex(2) among threads that are in this core. A word in memory that other host processes share is waited for in the
// host (linux/sys_futex.cc).
class Futexes {
 public:
  // Parks the caller if the word still holds `expected`: 0 when woken, -EAGAIN, -EFAULT, -ETIMEDOUT, or
  // restart_sys when a signal came. The deadline is the host's CLOCK_MONOTONIC in ns; 0: none.
  long wait(Thread& thread, FutexKey key, const uint32_t* word, uint32_t expected, uint32_t bitset,
            uint64_t deadline_ns);
  // Parks the caller until one of the words is woken (futex_waitv(2)): which, or as wait().
  static long wait_any(Thread& thread, std::span<const FutexWanted> wanted, uint64_t deadline_ns);
  // Who has waited longest for the word; null: nobody does.
  [[nodiscard]] Thread* first(FutexKey key);
  // Wakes up to `count` waiters whose bitset shares a bit, those that came first; returns how many.
  long wake(FutexKey key, uint32_t bitset, long count);
  // Moves up to `move` of those not woken to another word, of `to`; returns woken + moved.
  long requeue(FutexKey key, long wake_count, Futexes& to, FutexKey target, long move);
  void clear();
  [[nodiscard]] const trap::FutexWaiters& waiting() const { return waiting_; }
  // A word that no other process has; these are its process's.
  FutexWord own_word(uint64_t address);

 private:
  // On the stack of the one who waits; linked while it is not woken.
  struct Waiter {
    Thread* thread;
    uint32_t bitset;
    bool woken;
    Futexes* in;
    FutexKey key;
    Waiter *next, *previous;
  };
  // Those who wait for words that share it, in the order in which they came.
  struct Bucket {
    Waiter *first = nullptr, *last = nullptr;
  };
  static size_t place_of(FutexKey key);
  Bucket& bucket_of(FutexKey key) { return buckets_[place_of(key)]; }
  void add(Waiter& waiter);
  void remove(Waiter& waiter);

  std::array<Bucket, 1 << trap::FutexWaiters::bits> buckets_ = {};
  trap::FutexWaiters waiting_;
};

// A word of the program's, and where its waiters are.
struct FutexWord {
  Futexes& futexes;
  FutexKey key;
  uint32_t* word;

  long wake(uint32_t bitset, long count) const { return futexes.wake(key, bitset, count); }
};
// One of several that are waited for, and what it must hold.
struct FutexWanted {
  FutexWord at;
  uint32_t expected;
};
inline FutexWord Futexes::own_word(uint64_t address) {
  return {*this, {nullptr, address}, reinterpret_cast<uint32_t*>(address)};
}
// A word that others may have too: the process's memory is looked at.
FutexWord futex_word(Process& process, uint64_t address);

}  // namespace osp::task
