#pragma once

#include <sys/auxv.h>

#include "libosp/host/host.h"
#include "libosp/host/native.h"

// The microkernel's calls as functions.
namespace native_calls {

using osp::native::Message;

template <class... Args>
long call(osp::native::KernelCall number, Args... args) {
  return osp::raw::syscall(number, args...);
}

inline constexpr uint64_t for_ever = 0, not_at_all = 1;
inline uint64_t in_ms(int64_t ms) { return static_cast<uint64_t>(osp::host::monotonic_ns() + ms * 1'000'000); }

inline int queue(uint32_t capacity) { return static_cast<int>(call(osp::native::queue_make, capacity)); }
inline int semaphore(uint32_t count) { return static_cast<int>(call(osp::native::semaphore_make, count)); }
inline long send(int to, const Message& message, uint64_t deadline = for_ever) {
  return call(osp::native::message_send, to, &message, deadline);
}
inline long receive(int from, Message& message, uint64_t deadline = for_ever) {
  return call(osp::native::message_receive, from, &message, deadline);
}
inline long close(int handle) { return call(osp::native::handle_close, handle); }
inline Message message(uint64_t first) { return {{first, 2, 3, 4, 5, 6}, osp::native::no_handle, 0, 0}; }

// The BootInfo that the aux vector names; null: there is no microkernel.
inline const osp::native::BootInfo* boot_info() {
  return reinterpret_cast<const osp::native::BootInfo*>(getauxval(osp::native::auxv_boot_info));
}

}  // namespace native_calls
