#pragma once

#include <termios.h>

#include <array>
#include <cstdint>

namespace osp::device {

// struct termios2 of the kernel (asm-generic/termbits.h); struct termios is its beginning. The C library's has more
// characters.
struct LineSettings {
  uint32_t input = ICRNL | IXON;
  uint32_t output = OPOST | ONLCR;
  uint32_t control = CS8 | CREAD | B38400;
  uint32_t local = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;
  uint8_t discipline = 0;
  // By VINTR…: ^C ^\ DEL ^U ^D, 0 1 for VTIME VMIN, no VSWTC, ^Q ^S ^Z, no VEOL, ^R ^O ^W ^V, no VEOL2
  std::array<uint8_t, 19> characters = {3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0};
  uint32_t input_speed = 38400, output_speed = 38400;

  [[nodiscard]] bool has_input(uint32_t flag) const { return (input & flag) != 0; }
  [[nodiscard]] bool has_output(uint32_t flag) const { return (output & flag) != 0; }
  [[nodiscard]] bool has_local(uint32_t flag) const { return (local & flag) != 0; }
  // Whether it is the special character `which`; 0 turns one off.
  [[nodiscard]] bool is(uint8_t byte, size_t which) const { return byte != 0 && characters[which] == byte; }
};
static_assert(sizeof(LineSettings) == 44);

inline constexpr size_t old_settings_size = 36;  // struct termios

}  // namespace osp::device
