#include "drivers/uart/port.h"

#include <algorithm>

namespace osp::uart {

Port::Port(Registers& registers) : registers_(registers) {
  received_.reserve(capacity);
  registers_.write(Register::interrupts, 0);
  set_line();
  registers_.write(Register::fifo, fifo_control::on | fifo_control::clear_received | fifo_control::clear_sent);
  apply({.settings = settings_});
  read_line_status();
  registers_.read(Register::modem_status);
  errors_ = {};
  settle();
}

void Port::set_line() {
  const uint16_t divisor = settings_.divisor();
  registers_.write(Register::line_control, line_control::divisor);
  registers_.write(Register::data, static_cast<uint8_t>(divisor));
  registers_.write(Register::interrupts, static_cast<uint8_t>(divisor >> 8));
  registers_.write(Register::line_control, settings_.line_control());
}

void Port::apply(const PortOrders& orders) {
  settings_ = orders.settings;
  set_line();
  unsigned modem = modem_control::lets_interrupts_through;
  if (settings_.dtr) modem |= modem_control::dtr;
  if (settings_.rts) modem |= modem_control::rts;
  registers_.write(Register::modem_control, static_cast<uint8_t>(modem));
  unsigned fifo = settings_.fifo ? fifo_control::on | fifo_control::trigger_14 : 0;
  if (orders.flush_output) fifo |= fifo_control::clear_sent;
  registers_.write(Register::fifo, static_cast<uint8_t>(fifo));
}

uint8_t Port::read_line_status() {
  const uint8_t status = registers_.read(Register::line_status);
  if ((status & line_status::framing) != 0) ++errors_.framing;
  if ((status & line_status::parity) != 0) ++errors_.parity;
  if ((status & line_status::overrun) != 0) ++errors_.overruns;
  if ((status & line_status::broke) != 0) ++errors_.breaks;
  return status;
}

void Port::receive(size_t count) {
  const size_t before = received_.size();
  received_.resize(before + std::min(count, room()));
  registers_.receive(std::span(received_).subspan(before));
}

void Port::receive_all() {
  while (room() > 0 && (read_line_status() & line_status::received) != 0) receive(1);
}

void Port::serve() {
  for (;;) {
    const uint8_t cause = registers_.read(Register::identity) & identity::mask;
    if ((cause & identity::none) != 0) return;
    const bool has_received = cause == identity::received || cause == identity::received_timeout;
    if (has_received && room() == 0) {
      set_interrupts(interrupts_ & static_cast<uint8_t>(~interrupt_enable::received));
    } else if (cause == identity::received && settings_.fifo) {
      // More are there, but the last is left, so that the chip tells when no more come.
      receive(received_trigger - 1);
      is_quiet_ = false;
    } else if (has_received) {
      receive_all();
      is_quiet_ = true;
    } else if (cause == identity::line_status) {
      read_line_status();
    } else if (cause == identity::modem_status) {
      registers_.read(Register::modem_status);
    }  // that of the transmitter has been acknowledged by the read
  }
}

std::shared_ptr<const void> Port::become_reader() {
  if (!reader_.expired()) return nullptr;
  auto reader = std::make_shared<const int>(0);
  reader_ = reader;
  return reader;
}

size_t Port::take(std::span<char> to) {
  const size_t count = std::min(to.size(), received());
  std::copy_n(received_.begin() + static_cast<ptrdiff_t>(taken_), count, to.begin());
  taken_ += count;
  if (taken_ == received_.size()) {
    received_.clear();
    taken_ = 0;
  } else if (taken_ >= capacity / 2) {
    received_.erase(received_.begin(), received_.begin() + static_cast<ptrdiff_t>(taken_));
    taken_ = 0;
  }
  return count;
}

size_t Port::send(std::span<const std::byte> bytes) {
  const size_t piece = settings_.fifo ? fifo_size : 1;
  size_t done = 0;
  while (done < bytes.size()) {
    if (settings_.obeys_cts && (registers_.read(Register::modem_status) & modem_status::cts) == 0) break;
    if ((read_line_status() & line_status::fifo_empty) == 0) break;
    const auto part = bytes.subspan(done, std::min(piece, bytes.size() - done));
    registers_.send(part);
    done += part.size();
  }
  wants_to_send_ = wants_to_send_ || done < bytes.size();
  return done;
}

bool Port::all_sent() {
  const uint8_t status = read_line_status();
  if ((status & line_status::fifo_empty) == 0) wants_to_send_ = true;
  return (status & line_status::all_sent) != 0;
}

void Port::settle() {
  unsigned wanted = interrupt_enable::line_status;
  if (room() > 0) wanted |= interrupt_enable::received;
  if (wants_to_send_) wanted |= interrupt_enable::transmitter_empty;
  if (wants_to_send_ && settings_.obeys_cts) wanted |= interrupt_enable::modem_status;
  set_interrupts(static_cast<uint8_t>(wanted));
}

void Port::set_interrupts(uint8_t wanted) {
  if (wanted == interrupts_) return;
  interrupts_ = wanted;
  registers_.write(Register::interrupts, wanted);
}

std::string Port::status() { return status_text(settings_, errors_, registers_.read(Register::modem_status)); }

}  // namespace osp::uart
