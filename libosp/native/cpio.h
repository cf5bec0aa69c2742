#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "libosp/load/refusal.h"
#include "namespace/mem_contents.h"

// The archive format that Linux calls newc (its Documentation/driver-api/early-userspace/buffer-format.rst): a header
// of hexadecimal digits, a name, the contents; each begins at a multiple of 4.
namespace osp::native {

inline constexpr std::string_view cpio_magic = "070701";
inline constexpr std::string_view cpio_trailer = "TRAILER!!!";
inline constexpr size_t cpio_header_size = 110, cpio_alignment = 4;
// What a name may take: a path, and NULs behind it that bring the contents to a page.
inline constexpr size_t cpio_name_size_max = 3 * 4096;

// The numbers of a header, in their order.
enum class CpioField : unsigned char {
  inode,
  mode,
  uid,
  gid,
  links,
  mtime,
  size,
  major,
  minor,
  special_major,
  special_minor,
  name_size,
  check,
  count
};

struct CpioEntry {
  std::array<uint32_t, static_cast<size_t>(CpioField::count)> fields{};
  std::string_view name{};                // as in the archive
  std::span<const std::byte> contents{};  // of a symbolic link, its target
  size_t archive = 0;                     // which it is of several archives, one behind the other
  size_t at = 0;                          // where its header is

  [[nodiscard]] uint32_t operator[](CpioField field) const { return fields[static_cast<size_t>(field)]; }
  uint32_t& operator[](CpioField field) { return fields[static_cast<size_t>(field)]; }
};

constexpr uint64_t cpio_aligned(uint64_t size) { return (size + cpio_alignment - 1) / cpio_alignment * cpio_alignment; }

// Reads entries one by one. They refer to the archive, which is borrowed. Any bytes are safe. With a lender, only the
// headers, names and targets of links are asked of it.
class CpioReader {
 public:
  explicit CpioReader(std::span<const std::byte> archive, ns::MemLender* lender = nullptr)
      : archive_(archive), lender_(lender) {}
  // The next entry, or none at the end. EBADMSG.
  load::Outcome<std::optional<CpioEntry>> next();

 private:
  load::Outcome<CpioEntry> read_entry();
  load::Outcome<void> fill(size_t at, size_t size);
  load::Outcome<bool> go_to_next_archive();

  std::span<const std::byte> archive_;
  ns::MemLender* lender_;
  size_t at_ = 0;
  size_t number_ = 0;
};

}  // namespace osp::native
