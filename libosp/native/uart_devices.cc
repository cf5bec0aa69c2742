#include "libosp/native/uart_devices.h"

#include "libosp/host/host.h"
#include "libosp/trap/frame.h"

namespace osp::native {

// The kernel tells of a message while a program runs by an upcall, after which the worker's tick has come.
Result<void> UartDevices::begin(UartClient* client) {
  client_ = client;
  if (client_ != nullptr) {
    queue_ = client_->queue();
    return from_raw<void>(raw::syscall(notify_set, queue_));
  }
  OSP_ASSIGN(const long made, from_raw(raw::syscall(queue_make, 1)));  // in which nothing comes
  queue_ = static_cast<uint32_t>(made);
  return {};
}

void UartDevices::look(int64_t timeout_ns) {
  trap::Worker& worker = trap::worker();
  if (timeout_ns != 0 && worker.pending == 0) {
    constexpr uint64_t for_ever = 0;
    Ready ready = {queue_, 0};
    const uint64_t deadline = timeout_ns < 0 ? for_ever : static_cast<uint64_t>(host::monotonic_ns() + timeout_ns);
    raw::syscall(native::select, &ready, 1, deadline);
  }
  worker.message = 0;
  if (client_ != nullptr && !client_->take_answers()) owner_.driver_ended();
}

}  // namespace osp::native
