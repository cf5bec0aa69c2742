#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace osp::uart {

// The registers of a 16550 (National Semiconductor's PC16550D data sheet), by offset from its first port.
enum class Register : uint8_t {
  data = 0,          // RBR, THR; the divisor's low byte
  interrupts = 1,    // IER; its high byte
  identity = 2,      // IIR
  fifo = 2,          // FCR
  line_control = 3,  // LCR
  modem_control = 4,
  line_status = 5,
  modem_status = 6,
};

namespace interrupt_enable {
inline constexpr uint8_t received = 1, transmitter_empty = 2, line_status = 4, modem_status = 8;
}
namespace identity {
inline constexpr uint8_t none = 1, mask = 0xf;
inline constexpr uint8_t modem_status = 0, transmitter_empty = 2, received = 4, line_status = 6, received_timeout = 12;
}  // namespace identity
namespace fifo_control {
inline constexpr uint8_t on = 1, clear_received = 2, clear_sent = 4, trigger_14 = 0xc0;
}
namespace line_control {
inline constexpr uint8_t two_stops = 4, parity = 8, even = 0x10, divisor = 0x80;
}
namespace modem_control {
inline constexpr uint8_t dtr = 1, rts = 2, lets_interrupts_through = 8;
}
namespace line_status {
inline constexpr uint8_t received = 1, overrun = 2, parity = 4, framing = 8, broke = 0x10, fifo_empty = 0x20,
                         all_sent = 0x40;
}
namespace modem_status {
inline constexpr uint8_t cts = 0x10, dsr = 0x20, ring = 0x40, dcd = 0x80;
}

inline constexpr size_t fifo_size = 16, received_trigger = 14;

// Access to one port's registers.
class Registers {
 public:
  virtual ~Registers() = default;
  virtual uint8_t read(Register which) = 0;
  virtual void write(Register which, uint8_t value) = 0;
  // Takes so many bytes out of the data register, one after the other.
  virtual void receive(std::span<char> to) = 0;
  // Puts bytes into the data register, one after the other.
  virtual void send(std::span<const std::byte> bytes) = 0;
};

}  // namespace osp::uart
