#include "kernel/boot/archive.h"

#include "kernel/library/bytes.h"
#include "kernel/library/text.h"

namespace osp::kernel {
namespace {

constexpr size_t header_size = 110, digits = 8, first_field = 6;
constexpr size_t field_of_size = 6, field_of_name_size = 11;

bool read_hex(const char* text, uint64_t& value) {
  value = 0;
  for (size_t i = 0; i < digits; ++i) {
    const char c = text[i];
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return false;
    value = value << 4 | static_cast<uint64_t>(digit);
  }
  return true;
}

constexpr size_t round_up(size_t value) { return (value + 3) & ~size_t{3}; }

}  // namespace

bool Archive::next(ArchiveFile& file) {
  if (size_ - at_ < header_size) return false;
  const char* header = data_ + at_;
  uint64_t name_size = 0, data_size = 0;
  if (memcmp(header, "07070", 5) != 0 || !read_hex(header + first_field + digits * field_of_size, data_size) ||
      !read_hex(header + first_field + digits * field_of_name_size, name_size))
    return false;
  const size_t data_at = round_up(at_ + header_size + name_size);
  if (name_size == 0 || data_at > size_ || data_size > size_ - data_at || header[header_size + name_size - 1] != '\0')
    return false;
  file = {header + header_size, data_ + data_at, data_size};
  at_ = round_up(data_at + data_size) < size_ ? round_up(data_at + data_size) : size_;
  return !equal(file.name, "TRAILER!!!");
}

}  // namespace osp::kernel
