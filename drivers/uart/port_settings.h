#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace osp::uart {

// A serial port's attributes, with the letters of Plan 9's uart(3).
struct PortSettings {
  static constexpr unsigned clock = 115200;  // of the ports of a PC: the highest speed

  unsigned speed = clock;  // b: bits a second
  unsigned bits = 8;       // l: of a byte, 5 to 8
  unsigned stops = 1;      // s: stop bits, 1 or 2
  char parity = 'n';       // p: n none, o odd, e even
  bool dtr = true;         // d: we are there
  bool rts = true;         // r: we can receive
  bool obeys_cts = false;  // m: sends only while the other side says that it can receive
  bool fifo = true;        // i

  [[nodiscard]] uint16_t divisor() const { return static_cast<uint16_t>(clock / speed); }
  [[nodiscard]] uint8_t line_control() const;  // the 16550's LCR

  friend bool operator==(const PortSettings&, const PortSettings&) = default;
};

// What a write to a control file asks for.
struct PortOrders {
  PortSettings settings;
  bool flush_output = false;  // f
};

// Applies words such as "b9600 l8 pn" to `before`: all of them, or EINVAL.
Result<PortOrders> parse_orders(std::string_view text, const PortSettings& before);

// How often the line did not bring what was sent.
struct PortErrors {
  unsigned framing = 0, parity = 0, overruns = 0, breaks = 0;
};

// The text of a control file: the settings, the errors, and which of the other side's lines (the 16550's MSR) are up.
std::string status_text(const PortSettings& settings, const PortErrors& errors, uint8_t modem_status);

}  // namespace osp::uart
