#include "libosp/task/vfork_pages.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <span>

#include "base/raw_syscall.h"
#include "libosp/trap/frame.h"

namespace osp::task {
namespace {

constexpr uint64_t present = uint64_t{1} << 63, exclusive = uint64_t{1} << 56, of_file = uint64_t{1} << 61;
constexpr size_t pages_at_once = 512;

using Range = iovec;  // whole pages of the program's

bool may_be_written(const memory::Area& area) {
  return (area.protection & PROT_WRITE) != 0 && (area.flags & MAP_PRIVATE) != 0;
}

// What the child says before its list: Mappings, then Ranges.
struct Head {
  uint64_t mappings = 0;  // 0: nothing has changed
  uintptr_t break_end = 0;
  uint64_t ranges = 0;
};

void write_all(int fd, const void* data, size_t size) {
  const auto* from = static_cast<const char*>(data);
  while (size > 0) {
    const long done = raw::syscall(SYS_sendto, fd, from, size, MSG_NOSIGNAL, 0, 0);
    if (done == -EINTR) continue;
    if (done <= 0) return;
    from += done, size -= static_cast<size_t>(done);
  }
}

bool read_all(int fd, void* data, size_t size) {
  auto* to = static_cast<char*>(data);
  while (size > 0) {
    const long got = raw::read(fd, to, size);
    if (got == -EINTR) continue;
    if (got <= 0) return false;
    to += got, size -= static_cast<size_t>(got);
  }
  return true;
}

// Gathers neighbouring pages into ranges.
class Ranges {
 public:
  void add(uint64_t page) {
    if (all_.empty() || end(all_.back()) != page) all_.push_back({reinterpret_cast<void*>(page), 0});
    all_.back().iov_len += memory::page_size;
  }
  [[nodiscard]] const std::vector<Range>& all() const { return all_; }

 private:
  static uint64_t end(const Range& range) { return reinterpret_cast<uint64_t>(range.iov_base) + range.iov_len; }
  std::vector<Range> all_;
};

void list_pages(uintptr_t start, uintptr_t end, int pagemap, Ranges& ranges) {
  uint64_t entries[pages_at_once];
  for (uintptr_t at = start; at < end;) {
    const size_t count = std::min<size_t>(pages_at_once, (end - at) / memory::page_size);
    const long got = raw::syscall(SYS_pread64, pagemap, entries, count * 8, at / memory::page_size * 8);
    if (got <= 0) return;
    for (long i = 0; i < got / 8; ++i, at += memory::page_size)
      if ((entries[i] & (present | exclusive)) == (present | exclusive) && (entries[i] & of_file) == 0) ranges.add(at);
  }
}

// PAGEMAP_SCAN, since Linux 6.7: struct pm_scan_arg and PAGE_IS_* of linux/fs.h, which older headers lack.
struct Scan {
  uint64_t size = 96, flags = 0, start = 0, end = 0, walk_end = 0, regions = 0, region_count = 0, max_pages = 0;
  uint64_t inverted = 0, mask = 0, any_of = 0, reported = 0;
};
struct Region {
  uint64_t start, end, categories;
};
constexpr uint64_t is_file = 1 << 2, is_present = 1 << 3, is_zero_page = 1 << 5;

// A program may have reserved terabytes, of which it uses little: only what is there is looked at. Where the kernel
// cannot tell, each page is.
void list_area(const memory::Area& area, int pagemap, Ranges& ranges) {
  Region regions[32];
  for (uintptr_t at = area.start; at < area.end;) {
    Scan scan;
    scan.start = at, scan.end = area.end;
    scan.regions = reinterpret_cast<uint64_t>(regions), scan.region_count = std::size(regions);
    scan.inverted = is_file | is_zero_page, scan.mask = is_file | is_present | is_zero_page;
    scan.reported = is_present;
    const long found = raw::syscall(SYS_ioctl, pagemap, _IOWR('f', 16, Scan), &scan);
    if (found < 0) return list_pages(at, area.end, pagemap, ranges);
    for (const Region& region : std::span(regions).first(static_cast<size_t>(found)))
      list_pages(region.start, region.end, pagemap, ranges);
    at = scan.walk_end;
  }
}

std::vector<Range> written_ranges(const memory::AddressSpace& memory) {
  const long pagemap = raw::syscall(SYS_open, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC, 0);
  Ranges ranges;
  for (const auto& [start, area] : memory.areas())
    if (may_be_written(area)) list_area(area, static_cast<int>(pagemap), ranges);
  raw::close(static_cast<int>(pagemap));
  return ranges.all();
}

template <class T>
void append(std::vector<std::byte>& to, std::span<const T> values) {
  const auto bytes = std::as_bytes(values);
  to.insert(to.end(), bytes.begin(), bytes.end());
}

template <class T>
bool read_many(int fd, std::vector<T>& values) {
  return read_all(fd, values.data(), values.size() * sizeof(T));
}

// From the same addresses of the child. What one side cannot read or write is left out.
void take_pages(int child, std::span<const Range> ranges) {
  constexpr size_t at_once = 1024;  // UIO_MAXIOV
  while (!ranges.empty()) {
    const auto now = ranges.first(std::min(at_once, ranges.size()));
    long left = raw::syscall(SYS_process_vm_readv, child, now.data(), now.size(), now.data(), now.size(), 0);
    size_t done = 0;
    while (done < now.size() && left >= static_cast<long>(now[done].iov_len))
      left -= static_cast<long>(now[done++].iov_len);
    const bool is_all = done == now.size();
    ranges = ranges.subspan(is_all ? done : done + 1);  // the next was not copied, or not all of it
  }
}

}  // namespace

// In one piece: each write would wake the parent.
void send_memory(const memory::AddressSpace& memory, const Layout& before, int fd) {
  const Layout now = layout_of(memory);
  const auto mappings = now == before ? std::span<const Mapping>() : std::span<const Mapping>(now.mappings);
  const std::vector<Range> ranges = written_ranges(memory);
  const Head head = {mappings.size(), now.break_end, ranges.size()};
  std::vector<std::byte> message;
  append(message, std::span(&head, 1));
  append(message, mappings);
  append(message, std::span<const Range>(ranges));
  write_all(fd, message.data(), message.size());
}

void take_memory(Process& parent, int child, int fd) {
  Head head;
  if (!read_all(fd, &head, sizeof head)) return;
  Layout layout{.break_end = head.break_end, .mappings = std::vector<Mapping>(head.mappings)};
  std::vector<Range> ranges(head.ranges);
  if (!read_many(fd, layout.mappings) || !read_many(fd, ranges)) return;
  if (head.mappings != 0) take_layout(parent, layout);
  take_pages(child, ranges);
}

}  // namespace osp::task
