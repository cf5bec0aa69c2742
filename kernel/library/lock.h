#pragma once

#include <atomic>

namespace osp::kernel {

// A lock that is held for short times only, with interrupts off, as they always are in the kernel. Who waits for it
// answers shoot-downs meanwhile, so a holder may wait for those of other processors.
class Spinlock {
 public:
  void lock() {
    if (held_.exchange(true, std::memory_order_acquire)) wait();
  }
  [[nodiscard]] bool try_lock() { return !held_.exchange(true, std::memory_order_acquire); }
  void unlock() { held_.store(false, std::memory_order_release); }

 private:
  [[gnu::noinline, gnu::cold]] void wait();

  std::atomic<bool> held_ = false;
};

// Holds a lock from here to the end of the block.
class Locked {
 public:
  explicit Locked(Spinlock& lock) : lock_(lock) { lock_.lock(); }
  ~Locked() { lock_.unlock(); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  Spinlock& lock_;
};

}  // namespace osp::kernel
