#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <string>

#include "libosp/device/byte_ring.h"
#include "libosp/device/line_settings.h"

namespace osp::device {

// What lies between a terminal's line and the programs that read and write it: editing, echo, signals, flow control
// and the mapping of ends of line (termios(3)). Bytes in, bytes out: it knows neither fds nor processes, nor waits.
class LineDiscipline {
 public:
  static constexpr size_t most_input = 4095, output_capacity = 16 * 1024;

  // Told while bytes are received; may not call back.
  class Signals {
   public:
    virtual ~Signals() = default;
    virtual void raise(int signo) = 0;  // SIGINT, SIGQUIT, SIGTSTP
  };

  explicit LineDiscipline(Signals& signals) : signals_(signals) {}

  [[nodiscard]] const LineSettings& settings() const { return settings_; }
  // What was typed is kept; by switching line editing off what is edited can be read at once, and by switching it on
  // what was not read yet is a line.
  void set(const LineSettings& settings);

  // From the line. How many bytes it took: fewer when the input is full.
  size_t receive(std::span<const std::byte> bytes);
  // To the line: how many bytes of a program it took; fewer when the output is full.
  size_t write(std::span<const std::byte> bytes);
  // What is to go out on the line, echoes included.
  [[nodiscard]] ByteRing& output() { return output_; }

  // Up to `to.size()` bytes that a program may have: with line editing of one line at most. Nothing: there is none yet;
  // 0 bytes: the end of file was typed.
  std::optional<size_t> read(std::span<std::byte> to);
  // How many bytes read() could give in all (FIONREAD), and whether it would give anything.
  [[nodiscard]] size_t waiting() const;
  [[nodiscard]] bool has_input() const { return !ready_.empty(); }

  // Whether the output rests, by ^S or tcflow(3).
  [[nodiscard]] bool stopped() const { return stopped_; }
  void set_stopped(bool stopped) { stopped_ = stopped; }
  void flush_input();
  void flush_output() { output_.clear(); }

 private:
  enum class Erase { character, word, line };

  bool take(uint8_t byte);
  [[nodiscard]] uint8_t mapped(uint8_t byte, bool& dropped) const;
  bool take_control(uint8_t byte);
  bool take_signal(uint8_t byte);
  bool take_editing(uint8_t byte);
  bool take_end(uint8_t byte);
  void take_plain(uint8_t byte);
  void end_line();
  void erase(Erase what, uint8_t typed);
  void erase_last();
  void show_erased(uint8_t byte, uint8_t typed, bool one);
  void show_tab_erased();
  [[nodiscard]] size_t width_of_editing() const;
  void reprint();
  [[nodiscard]] bool is_full() const;

  void echo(uint8_t byte);
  void end_erasing();
  void put_processed(uint8_t byte);
  [[nodiscard]] size_t processed_size(uint8_t byte) const;
  void put(uint8_t byte);

  Signals& signals_;
  LineSettings settings_;
  std::deque<std::string> ready_;  // lines, with their ends; one that ended with VEOF has none
  size_t ready_size_ = 0;
  std::string editing_;
  ByteRing output_{output_capacity};
  size_t column_ = 0;
  size_t editing_column_ = 0;  // where the line that is edited began
  bool literal_next_ = false;  // after VLNEXT
  bool erasing_ = false;       // between the \ and the / of ECHOPRT
  bool stopped_ = false;
};

}  // namespace osp::device
