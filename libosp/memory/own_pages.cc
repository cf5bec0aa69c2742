#include "libosp/memory/own_pages.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>

#include "base/raw_syscall.h"
#include "libosp/memory/address_space.h"

namespace osp::memory {
namespace {

// PAGEMAP_SCAN (Linux 6.7, include/uapi/linux/fs.h), which our headers lack.
struct ScanArgument {
  uint64_t size, flags, start, end, walk_end, vec, vec_length, max_pages;
  uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
constexpr unsigned long pagemap_scan = _IOWR('f', 16, ScanArgument);
constexpr uint64_t is_file = 1 << 2, is_present = 1 << 3, is_swapped = 1 << 4, is_zero = 1 << 5;
constexpr uint64_t entry_file = uint64_t{1} << 61, entry_swapped = uint64_t{1} << 62, entry_present = uint64_t{1} << 63;
constexpr size_t regions_at_once = 1024, entries_at_once = 8192;

}  // namespace

OwnPages::OwnPages()
    : fd_(static_cast<int>(raw::syscall(SYS_openat, AT_FDCWD, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC))),
      regions_(regions_at_once) {}

OwnPages::~OwnPages() { raw::close(fd_); }

Result<void> OwnPages::each(uintptr_t start, uintptr_t end, const std::function<void(uintptr_t, uintptr_t)>& found) {
  return can_scan_ ? scan(start, end, found) : read(start, end, found);
}

Result<void> OwnPages::scan(uintptr_t start, uintptr_t end, const std::function<void(uintptr_t, uintptr_t)>& found) {
  while (start < end) {
    ScanArgument a = {sizeof(ScanArgument),
                      0,
                      start,
                      end,
                      0,
                      reinterpret_cast<uint64_t>(regions_.data()),
                      regions_.size(),
                      0,
                      is_file | is_zero,
                      is_file | is_zero,
                      is_present | is_swapped,
                      is_present};
    const long count = raw::syscall(SYS_ioctl, fd_, pagemap_scan, &a);
    if (count < 0 && (count == -ENOTTY || count == -EINVAL)) {
      can_scan_ = false;
      return read(start, end, found);
    }
    if (count < 0) return fail(static_cast<int>(-count));
    for (long i = 0; i < count; ++i)
      found(regions_[static_cast<size_t>(i)].start, regions_[static_cast<size_t>(i)].end);
    start = a.walk_end;
  }
  return {};
}

Result<void> OwnPages::read(uintptr_t start, uintptr_t end,
                            const std::function<void(uintptr_t, uintptr_t)>& found) const {
  std::vector<uint64_t> entries(entries_at_once);
  while (start < end) {
    const size_t count = std::min<size_t>(entries.size(), (end - start) / page_size);
    const long got = raw::syscall(SYS_pread64, fd_, entries.data(), count * 8, start / page_size * 8);
    if (got <= 0) return fail(got == 0 ? EIO : static_cast<int>(-got));
    for (size_t i = 0; i < static_cast<size_t>(got) / 8; ++i) {
      const bool own = (entries[i] & (entry_present | entry_swapped)) != 0 && (entries[i] & entry_file) == 0;
      if (own) found(start + i * page_size, start + (i + 1) * page_size);
    }
    start += static_cast<size_t>(got) / 8 * page_size;
  }
  return {};
}

}  // namespace osp::memory
