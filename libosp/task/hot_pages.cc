#include "libosp/task/hot_pages.h"

#include <cstddef>
#include <cstdint>

#include "base/raw_syscall.h"
#include "libosp/host/populate.h"
#include "libosp/host/window.h"
#include "libosp/task/worker.h"

extern "C" char __data_start;  // of .data (crt1.o), which .hot_data follows

namespace osp::task {
namespace {

constexpr uintptr_t page_size = 4096;
constexpr size_t heap_pages = 64;  // where malloc(3) begins; what lies behind is of large processes, and seldom used
constexpr size_t stack_pages = 3;

// Those that are there: the parent has written to them.
void copy_present(uintptr_t start) {
  unsigned char is_there[heap_pages] = {};
  if (raw::syscall(SYS_mincore, start, heap_pages * page_size, is_there) != 0) return;
  for (size_t from = 0; from < heap_pages; ++from) {
    size_t to = from;
    while (to < heap_pages && (is_there[to] & 1) != 0) ++to;
    if (to != from) host::populate(start + from * page_size, start + to * page_size);
    from = to;
  }
}

}  // namespace

void copy_hot_pages() {
  const auto stack = reinterpret_cast<uintptr_t>(__builtin_frame_address(0)) & ~(page_size - 1);
  host::populate(reinterpret_cast<uintptr_t>(&__data_start), reinterpret_cast<uintptr_t>(&first_worker().ring));
  copy_present(window::near_heap);
  host::populate(stack - page_size, stack + (stack_pages - 1) * page_size);
}

}  // namespace osp::task
