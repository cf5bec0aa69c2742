#include "kernel/library/lock.h"

#include "kernel/cpu/registers.h"
#include "kernel/memory/shootdown.h"

namespace osp::kernel {

void Spinlock::wait() {
  do {
    while (held_.load(std::memory_order_relaxed) != 0) {
      answer_shootdown();
      cpu::pause();
    }
  } while (take());
}

}  // namespace osp::kernel
