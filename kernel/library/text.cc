#include "kernel/library/text.h"

namespace osp::kernel {

Text& Text::operator<<(char c) {
  if (length_ < size_) buffer_[length_++] = c;
  return *this;
}

Text& Text::operator<<(const char* text) {
  for (; *text != '\0'; ++text) *this << *text;
  return *this;
}

Text& Text::operator<<(Hex number) {
  *this << "0x";
  int shift = 60;
  while (shift > 0 && (number.value >> shift) == 0) shift -= 4;
  for (; shift >= 0; shift -= 4) *this << "0123456789abcdef"[(number.value >> shift) & 15];
  return *this;
}

Text& Text::operator<<(uint64_t number) {
  char digits[20];
  size_t count = 0;
  do digits[count++] = static_cast<char>('0' + number % 10);
  while ((number /= 10) != 0);
  while (count > 0) *this << digits[--count];
  return *this;
}

Text& Text::operator<<(int64_t number) {
  if (number < 0) *this << '-';
  return *this << (number < 0 ? uint64_t{0} - static_cast<uint64_t>(number) : static_cast<uint64_t>(number));
}

bool equal(const char* one, const char* other) {
  while (*one != '\0' && *one == *other) ++one, ++other;
  return *one == *other;
}

size_t length_of(const char* text) {
  size_t length = 0;
  while (text[length] != '\0') ++length;
  return length;
}

}  // namespace osp::kernel
