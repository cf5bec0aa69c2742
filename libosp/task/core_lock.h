#pragma once

#include <atomic>
#include <cstdint>

namespace osp::task {

struct Worker;

// Whoever runs code of the core (fibers, scheduler, tables) holds this lock: one worker at a time. It is given up while
// the worker runs the program, rests, or waits in the host. Signal handlers and calls answered outside the core proper
// (trap/fast.h) do without. Not recursive; held across switches of fibers, since it is the worker's and not the
// fiber's.
//
// Fair in this: a worker that has been passed over some times is the next to have it; not at once, for who is given a
// lock asleep keeps it from the others until the host lets it run. Core only; lock() blocks.
class CoreLock {
 public:
  void lock() {
    uint32_t expected = free;
    if (!word_.compare_exchange_strong(expected, held, std::memory_order_acquire)) lock_slowly();
  }
  void unlock() {
    if (heir_.load(std::memory_order_relaxed) == nullptr) {
      if (word_.exchange(free, std::memory_order_release) == contended) wake_one();
    } else {
      hand_over();
    }
  }
  // In a forked child: the caller holds it, and nobody else is there.
  void be_alone();

 private:
  // From handed_over on: each handing over has a number of its own, so that an heir that is about to wait for the end
  // of an earlier one does not sleep through its own.
  static constexpr uint32_t free = 0, held = 1, contended = 2, handed_over = 3, numbers = 0x1000'0000;

  void lock_slowly();
  bool take_or_wait(Worker& self);
  void hand_over();
  void wake_one();

  std::atomic<uint32_t> word_ = free;
  std::atomic<Worker*> heir_ = nullptr;
  uint32_t handed_over_ = 0;  // how often; the holder's
};

CoreLock& core_lock();

}  // namespace osp::task
