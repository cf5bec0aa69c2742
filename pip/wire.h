#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

// Numbers in network byte order, and bytes with their length before them, as πp puts them on the wire
// and into its journal. No function here blocks; none may be called from a signal handler (Writer allocates).
namespace osp::pip {

// Appends to a string that it does not own.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  template <class T>
  void number(T value) {
    char bytes[sizeof(T)];
    for (size_t i = 0; i < sizeof(T); ++i) bytes[i] = static_cast<char>(value >> (8 * (sizeof(T) - 1 - i)));
    out_.append(bytes, sizeof(T));
  }
  void u8(uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void u16(uint16_t value) { number(value); }
  void u32(uint32_t value) { number(value); }
  void u64(uint64_t value) { number(value); }
  // length[4] and the bytes. The caller keeps them under 4 GiB.
  void bytes(std::string_view value) {
    u32(static_cast<uint32_t>(value.size()));
    out_.append(value);
  }
  [[nodiscard]] std::string& out() { return out_; }

 private:
  std::string& out_;
};

// Overwrites sizeof(T) bytes at `offset`, which must be there already.
template <class T>
void put_number(std::string& bytes, size_t offset, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) bytes[offset + i] = static_cast<char>(value >> (8 * (sizeof(T) - 1 - i)));
}

// Takes from the front of a view, and never beyond its end: EBADMSG then, and every later call too.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  template <class T>
  T number() {
    if (rest_.size() < sizeof(T)) return spoil(), T{0};
    T value = 0;
    for (size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>((value << 7 << 1) | static_cast<uint8_t>(rest_[i]));
    rest_.remove_prefix(sizeof(T));
    return value;
  }
  uint8_t u8() { return number<uint8_t>(); }
  uint16_t u16() { return number<uint16_t>(); }
  uint32_t u32() { return number<uint32_t>(); }
  uint64_t u64() { return number<uint64_t>(); }
  int64_t i64() { return static_cast<int64_t>(u64()); }
  // A view into the input, which must outlive it.
  std::string_view bytes() {
    const size_t size = u32();
    if (rest_.size() < size) return spoil(), std::string_view{};
    const std::string_view value = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return value;
  }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::string_view rest() const { return rest_; }
  // Everything was there and nothing is left over.
  [[nodiscard]] bool finished() const { return ok_ && rest_.empty(); }

 private:
  void spoil() { ok_ = false, rest_ = {}; }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace osp::pip
