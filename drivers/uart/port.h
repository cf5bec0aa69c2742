#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "drivers/uart/port_settings.h"
#include "drivers/uart/registers.h"

namespace osp::uart {

// One 16550. It never waits: serve() takes what an interrupt is about, send() gives the line what it takes now, and
// settle() asks for the interrupts that are needed to go on. Received bytes are kept until somebody takes them; while
// there is no more room they stay in the chip, which holds up the other side where the line can do that.
class Port {
 public:
  static constexpr size_t capacity = 16 * 1024;
  static constexpr size_t batch = 2048;

  // Sets the chip up; what it had received is lost.
  explicit Port(Registers& registers);

  // After an interrupt: when it returns, the chip asks for none.
  void serve();
  [[nodiscard]] size_t received() const { return received_.size() - taken_; }
  // Whether it is worth telling: while the line brings more at once, little is kept until it is much.
  [[nodiscard]] bool has_news() const { return received() >= batch || (received() > 0 && is_quiet_); }
  // For who reads: null while another has it.
  [[nodiscard]] std::shared_ptr<const void> become_reader();
  // How many of the received bytes it gave.
  size_t take(std::span<char> to);

  // How many of `bytes` are on their way now. Fewer than all: the caller waits, and tries again after serve().
  size_t send(std::span<const std::byte> bytes);
  // Whether the last bit has left the chip. There is no interrupt for it, but one when little is left.
  [[nodiscard]] bool all_sent();

  // Before and after a round of send(): interrupts are on for those that came short in it.
  void begin_round() { wants_to_send_ = false; }
  void settle();

  void apply(const PortOrders& orders);
  [[nodiscard]] const PortSettings& settings() const { return settings_; }
  [[nodiscard]] std::string status();

 private:
  void receive(size_t count);
  void receive_all();
  uint8_t read_line_status();
  void set_interrupts(uint8_t wanted);
  void set_line();
  [[nodiscard]] size_t room() const { return capacity - received_.size(); }

  Registers& registers_;
  PortSettings settings_;
  PortErrors errors_;
  std::weak_ptr<const void> reader_;
  std::vector<char> received_;
  size_t taken_ = 0;  // from the front of received_
  bool is_quiet_ = false;
  uint8_t interrupts_ = 0;
  bool wants_to_send_ = false;
};

}  // namespace osp::uart
