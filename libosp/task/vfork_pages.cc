#include "libosp/task/vfork_pages.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include <cerrno>
#include <span>

#include "base/raw_syscall.h"
#include "libosp/trap/frame.h"

namespace osp::task {
namespace {

constexpr uint64_t present = uint64_t{1} << 63, exclusive = uint64_t{1} << 56, of_file = uint64_t{1} << 61;
constexpr size_t pages_at_once = 512;

struct Range {
  uint64_t start = 0, size = 0;  // size 0: the end of the list
};

bool may_be_written(const memory::Area& area) {
  return (area.protection & PROT_WRITE) != 0 && (area.flags & MAP_PRIVATE) != 0;
}

struct LayoutHead {
  uint64_t count = 0;  // of the Mappings that follow; 0: nothing has changed
  uintptr_t break_end = 0;
};

void write_all(int fd, const void* data, size_t size) {
  const auto* from = static_cast<const char*>(data);
  while (size > 0) {
    const long done = raw::write(fd, from, size);
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
class Sender {
 public:
  explicit Sender(int pipe) : pipe_(pipe) {}
  void add(uint64_t page) {
    if (page != range_.start + range_.size || range_.size == 0) {
      flush();
      range_ = {page, 0};
    }
    range_.size += memory::page_size;
  }
  void flush() {
    if (range_.size != 0) write_all(pipe_, &range_, sizeof range_);
    range_ = {};
  }

 private:
  int pipe_;
  Range range_;
};

void send_pages(uintptr_t start, uintptr_t end, int pagemap, Sender& sender) {
  uint64_t entries[pages_at_once];
  for (uintptr_t at = start; at < end;) {
    const size_t count = std::min<size_t>(pages_at_once, (end - at) / memory::page_size);
    const long got = raw::syscall(SYS_pread64, pagemap, entries, count * 8, at / memory::page_size * 8);
    if (got <= 0) return;
    for (long i = 0; i < got / 8; ++i, at += memory::page_size)
      if ((entries[i] & (present | exclusive)) == (present | exclusive) && (entries[i] & of_file) == 0) sender.add(at);
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
void send_area(const memory::Area& area, int pagemap, Sender& sender) {
  Region regions[32];
  for (uintptr_t at = area.start; at < area.end;) {
    Scan scan;
    scan.start = at, scan.end = area.end;
    scan.regions = reinterpret_cast<uint64_t>(regions), scan.region_count = std::size(regions);
    scan.inverted = is_file | is_zero_page, scan.mask = is_file | is_present | is_zero_page;
    scan.reported = is_present;
    const long found = raw::syscall(SYS_ioctl, pagemap, _IOWR('f', 16, Scan), &scan);
    if (found < 0) return send_pages(at, area.end, pagemap, sender);
    for (const Region& region : std::span(regions).first(static_cast<size_t>(found)))
      send_pages(region.start, region.end, pagemap, sender);
    at = scan.walk_end;
  }
}

void send_layout(const memory::AddressSpace& memory, const Layout& before, int pipe) {
  const Layout now = layout_of(memory);
  const LayoutHead head = {now == before ? 0 : now.mappings.size(), now.break_end};
  write_all(pipe, &head, sizeof head);
  write_all(pipe, now.mappings.data(), head.count * sizeof(Mapping));
}

bool receive_layout(Process& parent, int pipe) {
  LayoutHead head;
  if (!read_all(pipe, &head, sizeof head)) return false;
  if (head.count == 0) return true;
  Layout child{.break_end = head.break_end, .mappings = std::vector<Mapping>(head.count)};
  if (!read_all(pipe, child.mappings.data(), head.count * sizeof(Mapping))) return false;
  take_layout(parent, child);
  return true;
}

}  // namespace

void send_memory(const memory::AddressSpace& memory, const Layout& before, int pipe) {
  write_all(pipe, "", 1);
  send_layout(memory, before, pipe);
  const long pagemap = raw::syscall(SYS_open, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC, 0);
  Sender sender(pipe);
  for (const auto& [start, area] : memory.areas())
    if (may_be_written(area)) send_area(area, static_cast<int>(pagemap), sender);
  sender.flush();
  const Range end;
  write_all(pipe, &end, sizeof end);
  raw::close(static_cast<int>(pagemap));
}

void take_memory(Process& parent, int child, int pipe) {
  if (!receive_layout(parent, pipe)) return;
  Range range;
  while (read_all(pipe, &range, sizeof range) && range.size != 0) {
    const iovec pages = {reinterpret_cast<void*>(range.start), range.size};
    raw::syscall(SYS_process_vm_readv, child, &pages, 1, &pages, 1, 0);
  }
}

}  // namespace osp::task
