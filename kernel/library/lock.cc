#include "kernel/library/lock.h"

#include "kernel/cpu/registers.h"
#include "kernel/memory/shootdown.h"

namespace osp::kernel {

void Spinlock::wait() {
  do {
    while (held_.load(std::memory_order_relaxed)) {
      answer_shootdown();
      cpu::pause();
    }
  } while (held_.exchange(true, std::memory_order_acquire));
}

}  // namespace osp::kernel
