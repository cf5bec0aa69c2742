#pragma once

#include <cstdint>

#include "kernel/cpu/clock.h"

// futex(2) on words of ring 3's, in the current space. Words of the window are the same in all spaces of the task.
namespace osp::kernel {

// Sleeps while the word is `seen`, until a wake with a bit of `mask`. EAGAIN EFAULT EINVAL ETIMEDOUT EINTR.
[[nodiscard]] long wait_futex(const uint32_t* word, uint32_t seen, int64_t deadline_ns, uint32_t mask);

// Wakes up to `count`; how many. EFAULT EINVAL.
[[nodiscard]] long wake_futex(const uint32_t* word, uint32_t count, uint32_t mask);

}  // namespace osp::kernel
