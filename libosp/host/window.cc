#include "libosp/host/window.h"

#include <sys/mman.h>

#include <cerrno>

#include "base/raw_syscall.h"
#include "libosp/host/host.h"

// First fit over a short list of freed ranges, else from the top of a heap. No TLS, no malloc: it runs before glibc has
// set up either.
namespace osp::window {
namespace {

constexpr size_t page = 4096;
constexpr size_t max_free = 512;

struct Range {
  uintptr_t start = 0;
  size_t size = 0;
};

[[gnu::section(".bss.sparse")]] Range free_ranges[max_free];
size_t free_count = 0;
// How far the heaps are used.
uintptr_t near_top = near_heap, top = heap;

bool is_of_heap(uintptr_t address) {
  return (address >= near_heap && address < near_heap_end) || (address >= heap && address < end);
}

size_t round_up(size_t size) { return (size + page - 1) & ~(page - 1); }

void drop(size_t index) { free_ranges[index] = free_ranges[--free_count]; }

uintptr_t take(size_t size) {
  for (size_t i = 0; i < free_count; ++i) {
    Range& range = free_ranges[i];
    if (range.size < size) continue;
    const uintptr_t start = range.start;
    range.start += size, range.size -= size;
    if (range.size == 0) drop(i);
    return start;
  }
  const bool is_near = size <= near_heap_end - near_top;
  if (!is_near && size > end - top) return 0;
  uintptr_t& from = is_near ? near_top : top;
  const uintptr_t start = from;
  from += size;
  return start;
}

void give_back(uintptr_t start, size_t size) {
  for (size_t i = 0; i < free_count;) {
    const Range range = free_ranges[i];
    if (range.start + range.size == start) {
      start = range.start, size += range.size;
    } else if (start + size == range.start) {
      size += range.size;
    } else {
      ++i;
      continue;
    }
    drop(i);
  }
  if (start + size == near_top) {
    near_top = start;
  } else if (start + size == top) {
    top = start;
  } else if (free_count < max_free) {
    free_ranges[free_count++] = {start, size};
  }  // a full list forgets the addresses, not the memory
}

}  // namespace

long map(size_t size, int protection, int flags, int fd, int64_t offset) {
  size = round_up(size);
  if (size == 0) return -EINVAL;
  const uintptr_t start = take(size);
  if (start == 0) return -ENOMEM;
  const long result = raw::syscall(SYS_mmap, start, size, protection, flags | MAP_FIXED_NOREPLACE, fd, offset);
  if (result < 0) give_back(start, size);
  return result;
}

long unmap(uintptr_t address, size_t size) {
  size = round_up(size);
  const long result = host::unmap(address, size);
  if (result == 0 && is_of_heap(address)) give_back(address, size);
  return result;
}

}  // namespace osp::window
