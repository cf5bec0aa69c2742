#pragma once

#include <atomic>
#include <cstdint>

namespace osp::kernel {

// A lock that is held for short times only, with interrupts off, as they always are in the kernel. Who waits for it
// answers shoot-downs meanwhile, so a holder may wait for those of other processors.
class Spinlock {
 public:
  void lock() {
    if (take()) wait();
  }
  void unlock() { held_.store(0, std::memory_order_release); }

 private:
  [[gnu::noinline, gnu::cold]] void wait();

  // Whether it was held. Two instructions where an exchange takes four.
  bool take() {
    bool before;
    asm volatile("lock btsl $0, %0" : "+m"(held_), "=@ccc"(before) : : "memory");
    return before;
  }

  std::atomic<uint32_t> held_ = 0;
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
