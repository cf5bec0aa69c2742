#include "libosp/native/cpio.h"

#include <sys/stat.h>

#include <algorithm>
#include <string>

namespace osp::native {
namespace {

using load::Outcome;

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};  // bytes are what a name is made of
}

std::unexpected<load::Refusal> bad(const std::string& what, size_t at) {
  return load::refuse(EBADMSG, what + " at byte " + std::to_string(at));
}

// The value of a hexadecimal digit; 16 and more: it is none.
constexpr uint32_t digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<uint32_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<uint32_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<uint32_t>(c - 'A' + 10);
  return 16;
}

bool read_fields(std::string_view header, CpioEntry& entry) {
  const char* at = header.data() + cpio_magic.size();
  for (uint32_t& field : entry.fields) {
    for (const char* end = at + 8; at < end; ++at) {
      const uint32_t value = digit(*at);
      if (value > 15) return false;
      field = field << 4 | value;
    }
  }
  return true;
}

}  // namespace

// Sees to it that these bytes, so far as the archive has them, can be read.
Outcome<void> CpioReader::fill(size_t at, size_t size) {
  if (lender_ == nullptr || at >= archive_.size()) return {};
  if (lender_->fill(archive_.subspan(at, std::min(size, archive_.size() - at)))) return {};
  return bad("the compressed archive is damaged: its frames cannot be unpacked", at);
}

Outcome<CpioEntry> CpioReader::read_entry() {
  if (auto there = fill(at_, cpio_header_size); !there) return std::unexpected(std::move(there.error()));
  const std::span<const std::byte> rest = archive_.subspan(std::min(at_, archive_.size()));
  if (rest.empty()) return bad("the archive is cut off: the trailer is missing", at_);
  CpioEntry entry{.archive = number_, .at = at_};
  const std::string_view head = text_of(rest.first(std::min(rest.size(), cpio_header_size)));
  if (!head.starts_with(cpio_magic.substr(0, std::min(head.size(), cpio_magic.size())))) return bad("no header", at_);
  if (head.size() < cpio_header_size) return bad("the archive is cut off in a header", at_);
  if (!read_fields(head, entry)) return bad("a header with what is no number", at_);
  const size_t name_size = entry[CpioField::name_size];
  if (name_size == 0 || name_size > cpio_name_size_max) return bad("a header with an impossible size of the name", at_);
  if (name_size > rest.size() - cpio_header_size) return bad("the archive is cut off in a name", at_);
  if (auto there = fill(at_ + cpio_header_size, name_size); !there) return std::unexpected(std::move(there.error()));
  const std::string_view name = text_of(rest.subspan(cpio_header_size, name_size));
  if (name.back() != '\0') return bad("a name without an end", at_);
  entry.name = name.substr(0, name.find('\0'));
  const size_t begin = static_cast<size_t>(cpio_aligned(at_ + cpio_header_size + name_size));
  const size_t size = entry[CpioField::size];
  if (begin > archive_.size() || size > archive_.size() - begin)
    return bad("the archive is cut off in '" + std::string(entry.name) + "'", at_);
  if ((entry[CpioField::mode] & S_IFMT) == S_IFLNK)
    if (auto there = fill(begin, size); !there) return std::unexpected(std::move(there.error()));
  entry.contents = archive_.subspan(begin, size);
  at_ = static_cast<size_t>(cpio_aligned(begin + size));
  return entry;
}

// Behind a trailer there are zeros up to the end of a block, and perhaps one more archive.
Outcome<bool> CpioReader::go_to_next_archive() {
  if (auto there = fill(at_, archive_.size()); !there) return std::unexpected(std::move(there.error()));
  while (at_ < archive_.size() && archive_[at_] == std::byte{0}) ++at_;
  ++number_;
  return at_ < archive_.size();
}

Outcome<std::optional<CpioEntry>> CpioReader::next() {
  for (;;) {
    auto entry = read_entry();
    if (!entry) return std::unexpected(std::move(entry.error()));
    if (entry->name != cpio_trailer) return *entry;
    const auto more = go_to_next_archive();
    if (!more) return std::unexpected(more.error());
    if (!*more) return std::nullopt;
  }
}

}  // namespace osp::native
