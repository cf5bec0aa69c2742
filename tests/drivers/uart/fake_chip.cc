#include "tests/drivers/uart/fake_chip.h"

using namespace osp::uart;

uint8_t FakeChip::cause() {
  if ((enabled_ & interrupt_enable::line_status) != 0 && line_errors != 0) return identity::line_status;
  if ((enabled_ & interrupt_enable::received) != 0) {
    if (timed_out_) return identity::received_timeout;
    if (received_.size() >= received_trigger) return identity::received;
  }
  if ((enabled_ & interrupt_enable::transmitter_empty) != 0 && emptied_) return identity::transmitter_empty;
  return identity::none;
}

bool FakeChip::interrupts() { return (cause() & identity::none) == 0; }

uint8_t FakeChip::read(Register which) {
  switch (which) {
    case Register::data: {
      if (received_.empty()) return 0;
      const char byte = received_.front();
      received_.pop_front();
      timed_out_ = false;
      return static_cast<uint8_t>(byte);
    }
    case Register::identity: {
      const uint8_t now = cause();
      if (now == identity::transmitter_empty) emptied_ = false;
      return now;
    }
    case Register::line_status: {
      unsigned status = line_errors;
      line_errors = 0;
      if (!received_.empty()) status |= line_status::received;
      if (sending_.empty()) status |= line_status::fifo_empty | line_status::all_sent;
      return static_cast<uint8_t>(status);
    }
    case Register::modem_status:
      return modem_status;
    default:
      return 0;
  }
}

void FakeChip::write(Register which, uint8_t value) {
  const bool sets_divisor = (line_control & line_control::divisor) != 0;
  switch (which) {
    case Register::data:
      if (sets_divisor) divisor = static_cast<uint16_t>((divisor & 0xff00) | value);
      return;
    case Register::interrupts:
      if (sets_divisor) {
        divisor = static_cast<uint16_t>((divisor & 0xff) | value << 8);
        return;
      }
      if ((value & ~enabled_ & interrupt_enable::transmitter_empty) != 0) emptied_ = sending_.empty();
      enabled_ = value;
      return;
    case Register::fifo:
      fifo_ = value;
      if ((value & fifo_control::clear_received) != 0) received_.clear();
      if ((value & fifo_control::clear_sent) != 0) sending_.clear();
      return;
    case Register::line_control:
      line_control = value;
      return;
    case Register::modem_control:
      modem_control = value;
      return;
    default:
      return;
  }
}

void FakeChip::receive(std::span<char> to) {
  for (char& byte : to) byte = static_cast<char>(read(Register::data));
}

void FakeChip::send(std::span<const std::byte> bytes) {
  for (const std::byte byte : bytes) {
    if (sending_.size() >= fifo_size)
      ++lost;
    else
      sending_.push_back(static_cast<char>(byte));
  }
  if (!is_blocked) carry();
}

void FakeChip::carry() {
  gone.append(sending_.begin(), sending_.end());
  if (!sending_.empty()) emptied_ = true;
  sending_.clear();
}

void FakeChip::bring() {
  while (!coming.empty() && received_.size() < received_trigger) {
    received_.push_back(coming.front());
    coming.erase(0, 1);
  }
}
