#include "libosp/task/vfork_pages.h"

#include <fcntl.h>
#include <sys/uio.h>

#include <cerrno>

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

void write_all(int fd, const void* data, size_t size) {
  while (raw::write(fd, data, size) == -EINTR) {
  }
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

void send_area(const memory::Area& area, int pagemap, Sender& sender) {
  uint64_t entries[pages_at_once];
  for (uintptr_t at = area.start; at < area.end;) {
    const size_t count = std::min<size_t>(pages_at_once, (area.end - at) / memory::page_size);
    const long got = raw::syscall(SYS_pread64, pagemap, entries, count * 8, at / memory::page_size * 8);
    if (got <= 0) return;
    for (long i = 0; i < got / 8; ++i, at += memory::page_size)
      if ((entries[i] & (present | exclusive)) == (present | exclusive) && (entries[i] & of_file) == 0) sender.add(at);
  }
}

bool read_range(int pipe, Range& range) {
  auto* to = reinterpret_cast<char*>(&range);
  for (size_t have = 0; have < sizeof range;) {
    const long got = raw::read(pipe, to + have, sizeof range - have);
    if (got == -EINTR) continue;
    if (got <= 0) return false;
    have += static_cast<size_t>(got);
  }
  return range.size != 0;
}

}  // namespace

void send_written_pages(const memory::AddressSpace& memory, int pipe) {
  write_all(pipe, "", 1);
  const long pagemap = raw::syscall(SYS_open, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC, 0);
  Sender sender(pipe);
  for (const auto& [start, area] : memory.areas())
    if (may_be_written(area)) send_area(area, static_cast<int>(pagemap), sender);
  sender.flush();
  const Range end;
  write_all(pipe, &end, sizeof end);
  raw::close(static_cast<int>(pagemap));
}

void take_written_pages(int child, int pipe) {
  Range range;
  while (read_range(pipe, range)) {
    const iovec memory = {reinterpret_cast<void*>(range.start), range.size};
    raw::syscall(SYS_process_vm_readv, child, &memory, 1, &memory, 1, 0);
  }
}

}  // namespace osp::task
