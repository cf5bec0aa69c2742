// Input: what is received, and what programs read of it. The echo and output are in line_output.cc.
#include "libosp/device/line_discipline.h"

#include <signal.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <utility>

namespace osp::device {
namespace {

bool continues_utf8(uint8_t byte) { return (byte & 0xc0) == 0x80; }
bool is_of_word(uint8_t byte) { return std::isalnum(byte) != 0 || byte == '_'; }

}  // namespace

void LineDiscipline::set(const LineSettings& settings) {
  const bool was = settings_.has_local(ICANON);
  settings_ = settings;
  if (was && !settings.has_local(ICANON)) {
    std::erase(ready_, std::string());  // ends of file mean nothing any more
    if (!editing_.empty()) end_line();
  }
  if (!settings.has_input(IXON)) stopped_ = false;
}

size_t LineDiscipline::receive(std::span<const std::byte> bytes) {
  size_t done = 0;
  while (done < bytes.size() && take(static_cast<uint8_t>(bytes[done]))) ++done;
  return done;
}

// With nothing to read yet, a line that is too long loses characters instead: its end must come through.
bool LineDiscipline::is_full() const {
  if (ready_size_ + editing_.size() < most_input) return false;
  return !settings_.has_local(ICANON) || !ready_.empty();
}

// False: there is no room for it now.
bool LineDiscipline::take(uint8_t byte) {
  if (settings_.has_input(ISTRIP)) byte &= 0x7f;
  if (settings_.has_input(IUCLC) && settings_.has_local(IEXTEN)) byte = static_cast<uint8_t>(std::tolower(byte));
  if (!literal_next_ && take_control(byte)) return true;
  if (is_full()) return false;
  if (std::exchange(literal_next_, false)) {
    take_plain(byte);
    return true;
  }
  bool dropped = false;
  byte = mapped(byte, dropped);
  if (dropped) return true;
  if (settings_.has_local(ICANON) && (take_editing(byte) || take_end(byte))) return true;
  take_plain(byte);
  return true;
}

uint8_t LineDiscipline::mapped(uint8_t byte, bool& dropped) const {
  if (byte == '\r') {
    dropped = settings_.has_input(IGNCR);
    return settings_.has_input(ICRNL) ? '\n' : byte;
  }
  return byte == '\n' && settings_.has_input(INLCR) ? uint8_t{'\r'} : byte;
}

bool LineDiscipline::take_control(uint8_t byte) {
  const bool controls_flow = settings_.has_input(IXON);
  if (controls_flow && (settings_.is(byte, VSTOP) || settings_.is(byte, VSTART))) {
    stopped_ = !settings_.is(byte, VSTART);
    return true;
  }
  if (take_signal(byte)) return true;
  if (controls_flow && settings_.has_input(IXANY)) stopped_ = false;
  return false;
}

bool LineDiscipline::take_signal(uint8_t byte) {
  if (!settings_.has_local(ISIG)) return false;
  int signo = 0;
  if (settings_.is(byte, VINTR)) signo = SIGINT;
  if (settings_.is(byte, VQUIT)) signo = SIGQUIT;
  if (settings_.is(byte, VSUSP)) signo = SIGTSTP;
  if (signo == 0) return false;
  if (!settings_.has_local(NOFLSH)) {
    flush_input();
    flush_output();
  }
  signals_.raise(signo);
  if (settings_.has_input(IXON)) stopped_ = false;
  if (settings_.has_local(ECHO)) echo(byte);
  return true;
}

bool LineDiscipline::take_editing(uint8_t byte) {
  if (settings_.is(byte, VERASE)) return erase(Erase::character, byte), true;
  if (settings_.is(byte, VKILL)) return erase(Erase::line, byte), true;
  if (!settings_.has_local(IEXTEN)) return false;
  if (settings_.is(byte, VWERASE)) return erase(Erase::word, byte), true;
  if (settings_.is(byte, VLNEXT)) {
    literal_next_ = true;
    if (settings_.has_local(ECHO) && settings_.has_local(ECHOCTL)) end_erasing(), put('^'), put('\b');
    return true;
  }
  if (settings_.is(byte, VREPRINT) && settings_.has_local(ECHO)) {
    end_erasing();
    echo(byte);
    put_processed('\n');
    reprint();
    return true;
  }
  return false;
}

bool LineDiscipline::take_end(uint8_t byte) {
  if (settings_.is(byte, VEOF)) {
    end_line();
    return true;
  }
  if (byte == '\n') {
    if (settings_.has_local(ECHO) || settings_.has_local(ECHONL)) end_erasing(), put_processed('\n');
  } else if (settings_.is(byte, VEOL) || (settings_.is(byte, VEOL2) && settings_.has_local(IEXTEN))) {
    if (settings_.has_local(ECHO)) echo(byte);
  } else {
    return false;
  }
  editing_ += static_cast<char>(byte);
  end_line();
  return true;
}

void LineDiscipline::take_plain(uint8_t byte) {
  const bool edits = settings_.has_local(ICANON);
  if (edits && editing_.size() + ready_size_ >= most_input) {
    if (settings_.has_input(IMAXBEL)) put('\a');
    return;
  }
  if (settings_.has_local(ECHO)) {
    end_erasing();
    if (editing_.empty()) editing_column_ = column_;
    if (byte == '\n') {
      put_processed(byte);
    } else {
      echo(byte);
    }
  }
  editing_ += static_cast<char>(byte);
  if (!edits) end_line();
}

// What is edited can be read; without line editing it joins what waits already.
void LineDiscipline::end_line() {
  ready_size_ += editing_.size();
  if (!settings_.has_local(ICANON) && !ready_.empty()) {
    ready_.back() += editing_;
  } else {
    ready_.push_back(editing_);
  }
  editing_.clear();
}

void LineDiscipline::erase(Erase what, uint8_t typed) {
  if (editing_.empty()) return;
  const bool shows = settings_.has_local(ECHO);
  const bool erases_all = what == Erase::line;
  const bool shows_each = settings_.has_local(ECHOK) && settings_.has_local(ECHOKE) && settings_.has_local(ECHOE);
  if (erases_all && (!shows || !shows_each)) {
    editing_.clear();
    if (!shows) return;
    end_erasing();
    echo(typed);
    if (settings_.has_local(ECHOK)) put_processed('\n');
    return;
  }
  bool in_word = false;
  while (!editing_.empty()) {
    const auto last = static_cast<uint8_t>(editing_.back());
    if (what == Erase::word && in_word && !is_of_word(last)) break;
    in_word = in_word || is_of_word(last);
    erase_last();
    if (shows) show_erased(last, typed, what == Erase::character);
    if (what == Erase::character) break;
  }
  if (editing_.empty() && shows) end_erasing();
}

// One character: with IUTF8 all of its bytes.
void LineDiscipline::erase_last() {
  if (settings_.has_input(IUTF8))
    while (editing_.size() > 1 && continues_utf8(static_cast<uint8_t>(editing_.back()))) editing_.pop_back();
  editing_.pop_back();
}

std::optional<size_t> LineDiscipline::read(std::span<std::byte> to) {
  if (ready_.empty()) return std::nullopt;
  const bool one_line = settings_.has_local(ICANON);
  size_t done = 0;
  while (!ready_.empty() && done <= to.size()) {
    std::string& line = ready_.front();
    const size_t part = std::min(line.size(), to.size() - done);
    std::memcpy(to.data() + done, line.data(), part);
    done += part;
    line.erase(0, part);
    if (line.empty()) ready_.pop_front();
    if (one_line || done == to.size()) break;
  }
  ready_size_ -= done;
  return done;
}

size_t LineDiscipline::waiting() const { return ready_size_; }

void LineDiscipline::flush_input() {
  ready_.clear();
  ready_size_ = 0;
  editing_.clear();
  literal_next_ = erasing_ = false;
}

}  // namespace osp::device
