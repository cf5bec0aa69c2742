#pragma once

#include <cstdint>

#include "kernel/ipc/handles.h"
#include "libosp/host/native.h"

namespace osp::kernel {

inline constexpr uint32_t max_selected = 64;

// Marks which of `list` are ready, and waits until one is: how many. EBADF EAGAIN ETIMEDOUT EINTR.
[[nodiscard]] long select(native::Ready* list, uint32_t count, Handles& handles, uint64_t deadline_ns);

}  // namespace osp::kernel
