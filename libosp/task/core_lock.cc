#include "libosp/task/core_lock.h"

#include <climits>

#include "libosp/host/host.h"
#include "libosp/task/worker.h"

namespace osp::task {
namespace {

constexpr int spins = 100;
constexpr int patience = 16;  // how often a worker is passed over, each time some 10 µs

}  // namespace

CoreLock& core_lock() {
  [[gnu::section(".hot_data")]] static CoreLock the_lock;
  return the_lock;
}

// Who finds an heir gives the lock to it without letting go; an heir that comes too late for that finds the word
// changed under its wait (handed_over), or free.
void CoreLock::hand_over() {
  Worker* heir = heir_.exchange(nullptr, std::memory_order_acq_rel);
  heir->is_granted.store(true, std::memory_order_relaxed);
  handed_over_ = (handed_over_ + 1) % numbers;
  word_.store(handed_over + handed_over_, std::memory_order_release);
  host::wake(word_, INT_MAX);
}

void CoreLock::wake_one() { host::wake(word_, 1); }

// Whether it is the caller's now; else it has slept.
bool CoreLock::take_or_wait(Worker& self) {
  uint32_t seen = word_.load(std::memory_order_acquire);
  if (seen >= handed_over && self.is_granted.exchange(false, std::memory_order_relaxed)) {
    word_.store(contended, std::memory_order_relaxed);
    return true;
  }
  if (seen == free) return word_.compare_exchange_strong(seen, contended, std::memory_order_acquire);
  if (seen == held && !word_.compare_exchange_strong(seen, contended, std::memory_order_relaxed)) return false;
  host::wait_on(word_, seen == held ? contended : seen, nullptr);
  return false;
}

void CoreLock::lock_slowly() {
  for (int i = 0; i < spins; ++i) {
    uint32_t expected = free;
    if (word_.compare_exchange_weak(expected, held, std::memory_order_acquire)) return;
    __builtin_ia32_pause();
  }
  Worker& self = this_worker();
  bool is_heir = false;
  for (int passed_over = 0; !take_or_wait(self); ++passed_over) {
    Worker* none = nullptr;
    if (!is_heir && passed_over >= patience)
      is_heir = heir_.compare_exchange_strong(none, &self, std::memory_order_acq_rel);
  }
  Worker* expected = &self;  // it may have been had otherwise
  heir_.compare_exchange_strong(expected, nullptr, std::memory_order_acq_rel);
}

void CoreLock::be_alone() {
  heir_.store(nullptr, std::memory_order_relaxed);
  word_.store(held, std::memory_order_relaxed);
}

}  // namespace osp::task
