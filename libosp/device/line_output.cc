// Output of the line discipline: what programs write, the echo of what is typed, and what erasing shows.
#include <cctype>
#include <utility>

#include "libosp/device/line_discipline.h"

namespace osp::device {
namespace {

constexpr size_t tab_stop = 8;

bool is_control(uint8_t byte) { return byte < ' ' || byte == 127; }
bool continues_utf8(uint8_t byte) { return (byte & 0xc0) == 0x80; }

}  // namespace

void LineDiscipline::put(uint8_t byte) {
  const auto one = static_cast<std::byte>(byte);
  output_.put({&one, 1});  // what does not fit of an echo is lost, as on a line
}

// How many bytes put_processed() makes of it.
size_t LineDiscipline::processed_size(uint8_t byte) const {
  if (!settings_.has_output(OPOST)) return 1;
  if (byte == '\n') return settings_.has_output(ONLCR) ? 2 : 1;
  if (byte == '\t' && (settings_.output & TABDLY) == TAB3) return tab_stop - column_ % tab_stop;
  return 1;
}

void LineDiscipline::put_processed(uint8_t byte) {
  if (!settings_.has_output(OPOST)) return put(byte);
  if (byte == '\r' && settings_.has_output(ONOCR) && column_ == 0) return;
  if (byte == '\r' && settings_.has_output(OCRNL)) byte = '\n';
  switch (byte) {
    case '\n':
      if (settings_.has_output(ONLCR)) put('\r');
      if (settings_.has_output(ONLCR) || settings_.has_output(ONLRET)) column_ = 0;
      break;
    case '\r':
      column_ = 0;
      break;
    case '\t': {
      const size_t spaces = tab_stop - column_ % tab_stop;
      column_ += spaces;
      if ((settings_.output & TABDLY) != TAB3) break;
      for (size_t i = 0; i < spaces; ++i) put(' ');
      return;
    }
    case '\b':
      column_ -= column_ > 0 ? 1 : 0;
      break;
    default:
      if (settings_.has_output(OLCUC)) byte = static_cast<uint8_t>(std::toupper(byte));
      if (!is_control(byte) && !(settings_.has_input(IUTF8) && continues_utf8(byte))) ++column_;
  }
  put(byte);
}

size_t LineDiscipline::write(std::span<const std::byte> bytes) {
  size_t done = 0;
  for (; done < bytes.size(); ++done) {
    const auto byte = static_cast<uint8_t>(bytes[done]);
    if (output_.room() < processed_size(byte)) break;
    put_processed(byte);
  }
  return done;
}

void LineDiscipline::echo(uint8_t byte) {
  if (settings_.has_local(ECHOCTL) && is_control(byte) && byte != '\t') {
    put('^');
    put(byte ^ 0x40);
    column_ += 2;
  } else {
    put_processed(byte);
  }
}

void LineDiscipline::end_erasing() {
  if (std::exchange(erasing_, false)) put('/'), ++column_;
}

void LineDiscipline::show_erased(uint8_t byte, uint8_t typed, bool one) {
  if (settings_.has_local(ECHOPRT)) {
    if (!std::exchange(erasing_, true)) put('\\'), ++column_;
    echo(byte);
  } else if (one && !settings_.has_local(ECHOE)) {
    echo(typed);
  } else if (byte == '\t') {
    show_tab_erased();
  } else {
    const bool as_two = is_control(byte) && settings_.has_local(ECHOCTL);
    const int width = as_two ? 2 : is_control(byte) ? 0 : 1;
    for (int i = 0; i < width; ++i) {
      put('\b'), put(' '), put('\b');
      column_ -= column_ > 0 ? 1 : 0;
    }
  }
}

// How wide what is edited stands on the screen.
size_t LineDiscipline::width_of_editing() const {
  size_t column = editing_column_;
  for (const char c : editing_) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte == '\t') {
      column += tab_stop - column % tab_stop;
    } else if (is_control(byte)) {
      column += settings_.has_local(ECHOCTL) ? 2 : 0;
    } else if (!(settings_.has_input(IUTF8) && continues_utf8(byte))) {
      ++column;
    }
  }
  return column - editing_column_;
}

void LineDiscipline::show_tab_erased() {
  const size_t end = editing_column_ + width_of_editing();
  for (; column_ > end; --column_) put('\b');
}

void LineDiscipline::reprint() {
  editing_column_ = column_;
  for (const char byte : editing_) echo(static_cast<uint8_t>(byte));
}

}  // namespace osp::device
