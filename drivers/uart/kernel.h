#pragma once

#include "base/raw_syscall.h"
#include "drivers/uart/registers.h"
#include "libosp/host/host.h"
#include "libosp/host/native.h"

// The microkernel's calls that the driver makes (libosp/host/native.h).
namespace osp::uart::kernel {

inline constexpr uint64_t for_ever = 0, not_at_all = 1;

template <class... Args>
long call(native::KernelCall number, Args... args) {
  return raw::syscall(number, args...);
}

inline long send(uint32_t queue, const native::Message& message) {
  return call(native::message_send, queue, &message, not_at_all);
}
inline long receive(uint32_t queue, native::Message& message) {
  return call(native::message_receive, queue, &message, not_at_all);
}
inline void close(uint32_t handle) {
  if (handle != native::no_handle) call(native::handle_close, handle);
}

// A port's registers behind its processor ports.
class PortRegisters final : public Registers {
 public:
  explicit PortRegisters(uint16_t first) : first_(first) {}
  uint8_t read(Register which) override { return static_cast<uint8_t>(call(native::port_in, at(which), 1)); }
  void write(Register which, uint8_t value) override { call(native::port_out, at(which), 1, value); }
  void receive(std::span<char> to) override { call(native::port_in_string, at(Register::data), to.data(), to.size()); }
  void send(std::span<const std::byte> bytes) override {
    call(native::port_out_string, at(Register::data), bytes.data(), bytes.size());
  }

 private:
  [[nodiscard]] unsigned at(Register which) const { return first_ + static_cast<unsigned>(which); }
  uint16_t first_;
};

}  // namespace osp::uart::kernel
