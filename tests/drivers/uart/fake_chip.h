#pragma once

#include <deque>
#include <string>

#include "drivers/uart/registers.h"

// A 16550 whose line the test holds: the bytes that come, and how many it lets go.
class FakeChip final : public osp::uart::Registers {
 public:
  using Register = osp::uart::Register;

  uint8_t read(Register which) override;
  void write(Register which, uint8_t value) override;
  void receive(std::span<char> to) override;
  void send(std::span<const std::byte> bytes) override;

  // The line brings bytes, as many as the chip takes without loss: the rest stays in `coming`.
  void bring();
  // Four characters' time passes without another.
  void rest() { timed_out_ = !received_.empty(); }
  // The line takes what the chip has.
  void carry();
  [[nodiscard]] bool interrupts();

  std::string coming, gone;
  bool is_blocked = false;  // the line takes nothing
  uint8_t modem_status = 0, line_errors = 0;
  uint8_t line_control = 0, modem_control = 0;
  uint16_t divisor = 0;
  size_t lost = 0;  // bytes that came to a full chip

 private:
  uint8_t cause();

  std::deque<char> received_, sending_;
  uint8_t enabled_ = 0, fifo_ = 0;
  bool timed_out_ = false, emptied_ = false;
};
