#pragma once

#include <cstddef>
#include <cstdint>

namespace osp::kernel {

// A number to be written in hexadecimal.
struct Hex {
  uint64_t value;
};

// Writes text into a buffer that the caller owns; what does not fit is left out.
class Text {
 public:
  Text(char* buffer, size_t size) : buffer_(buffer), size_(size) {}

  [[nodiscard]] const char* data() const { return buffer_; }
  [[nodiscard]] size_t length() const { return length_; }

  Text& operator<<(char c);
  Text& operator<<(const char* text);
  Text& operator<<(Hex number);
  Text& operator<<(uint64_t number);
  Text& operator<<(int64_t number);
  Text& operator<<(int number) { return *this << static_cast<int64_t>(number); }
  Text& operator<<(uint32_t number) { return *this << static_cast<uint64_t>(number); }

 private:
  char* buffer_;
  size_t size_;
  size_t length_ = 0;
};

[[nodiscard]] bool equal(const char* one, const char* other);
[[nodiscard]] size_t length_of(const char* text);

}  // namespace osp::kernel
