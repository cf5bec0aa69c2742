#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "tools/osp_boot_machine.h"
#include "tools/osp_boot_terminal.h"

namespace osp::tools {

// Bytes on their way from one fd to another, both borrowed; what cannot be written yet holds up the reading.
class Pump {
 public:
  // `returns`: lines end as a raw terminal wants it.
  Pump(int from, int to, bool returns = false) : from_(from), to_(to), returns_(returns) {}

  [[nodiscard]] bool wants_read() const { return !ended_ && buffer_.empty(); }
  [[nodiscard]] bool wants_write() const { return !buffer_.empty(); }
  [[nodiscard]] bool is_done() const { return ended_ && buffer_.empty(); }
  [[nodiscard]] bool is_broken() const { return broken_; }   // nobody takes it any more: the rest is thrown away
  [[nodiscard]] uint64_t count() const { return written_; }  // bytes that have arrived
  [[nodiscard]] int from() const { return from_; }
  [[nodiscard]] int to() const { return to_; }
  void read();
  void write();

 private:
  int from_, to_;
  bool returns_;
  std::string buffer_;
  uint64_t written_ = 0;
  bool ended_ = false, broken_ = false;
};

// What came of it.
struct SessionEnd {
  std::optional<int> status{};  // the program's, if it ended
  bool timed_out = false;
  int ended_by = 0;       // a signal that came a second time soon after the first; 0: none
  std::string failure{};  // why the kernel ended the machine, where that was not the program's end
  std::string words{};    // what QEMU itself said
};

// Passes on what osp-boot's terminal, standard files and signals say, until the machine ends. Signals that it passes
// on must be blocked (block_signals). Blocks. timeout_s: 0: none.
class Session {
 public:
  Session(Machine& machine, RawTerminal& terminal, bool has_terminal);
  SessionEnd run(double timeout_s);

  // Blocks the signals that run() takes, but those that this process was started to ignore.
  static void block_signals();

 private:
  enum class Slot : unsigned char {
    input,
    input_to,
    output,
    output_to,
    console,
    console_to,
    orders,
    orders_to,
    status,
    words,
    signals,
    count
  };
  void wait(int64_t deadline_ns);
  void serve();
  void take_signals();
  void pass_on(int number);
  void take_orders();
  void stop();
  void go_on();
  void send(const std::string& order) { to_send_ += order + '\n'; }
  void send_size();
  void tell_what_happened();
  void flush_orders();
  [[nodiscard]] bool takes_input() const;
  [[nodiscard]] bool is_over() const;

  Machine& machine_;
  RawTerminal& terminal_;
  bool has_terminal_;
  Pump input_, output_, console_;
  pip::HostFd signals_;
  std::string to_send_, orders_, status_, words_;
  unsigned ready_ = 0;  // a bit for each Slot
  bool core_is_ready_ = false, told_eof_ = false, told_closed_ = false, program_is_stopped_ = false;
  int ended_by_ = 0;                // as in SessionEnd
  std::map<int, int64_t> came_at_;  // when a signal was passed on last
  bool orders_ended_ = false, status_ended_ = false, words_ended_ = false;
};

}  // namespace osp::tools
