#include <sys/mman.h>

#include <cerrno>

#include "kernel/call/calls.h"
#include "kernel/cpu/processor.h"
#include "kernel/cpu/user_copy.h"
#include "kernel/library/bytes.h"
#include "kernel/memory/segment.h"
#include "kernel/memory/space.h"
#include "kernel/task/thread.h"

namespace osp::kernel::call {
namespace {

constexpr int all_protections = PROT_READ | PROT_WRITE | PROT_EXEC;

// 0 and `size` rounded up to pages, or EINVAL.
long check_range(uint64_t address, uint64_t& size) {
  if (!page_aligned(address) || size == 0) return -EINVAL;
  if (size > user_end) return -ENOMEM;
  size = page_up(size);
  return 0;
}

long give_memory(Area& area, int flags) {
  if ((flags & MAP_TYPE) != MAP_SHARED) return 0;
  area.segment = Segment::create(area.end - area.start);
  area.backing = Area::Backing::segment;
  return area.segment == nullptr ? -ENOMEM : 0;
}

long map_at(Area* area, int flags) {
  const uint64_t address = area->start, size = area->end - area->start;
  Map* map = current().space->map_of(address, size);
  if (map == nullptr) {
    drop_area(area);
    return -ENOMEM;
  }
  if ((flags & MAP_FIXED) != 0)
    if (const long result = map->unmap(address, size); result != 0) {
      drop_area(area);
      return result;
    }
  const long result = map->insert(area);
  return result != 0 ? result : static_cast<long>(address);
}

long map_anywhere(Area* area, uint64_t hint) {
  Space& space = *current().space;
  const uint64_t size = area->end - area->start;
  if (hint != 0 && space.map_of(hint, size) == &space.own()) {
    Area* copy = copy_area(*area, area->start, area->end);
    if (copy == nullptr) {
      drop_area(area);
      return -ENOMEM;
    }
    if (space.own().insert(copy) == 0) {
      drop_area(area);
      return static_cast<long>(hint);
    }
  }
  return space.own().insert_anywhere(area, window::task_heap);
}

}  // namespace

long mmap(uint64_t address, uint64_t size, int protection, int flags, int, int64_t) {
  const int kind = flags & MAP_TYPE;
  const bool fixed = (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) != 0;
  if ((flags & MAP_ANONYMOUS) == 0) return -EBADF;
  if ((kind != MAP_PRIVATE && kind != MAP_SHARED) || (protection & ~all_protections) != 0) return -EINVAL;
  if (!fixed) address = page_down(address);
  if (const long result = check_range(address, size); result != 0) return result;
  if (!user_may_own(reinterpret_cast<void*>(address), size)) {
    if (fixed) return -ENOMEM;
    address = 0;
  }
  Area* area = make_area(address, address + size, protection);
  if (area == nullptr) return -ENOMEM;
  if (const long result = give_memory(*area, flags); result != 0) {
    drop_area(area);
    return result;
  }
  return fixed ? map_at(area, flags) : map_anywhere(area, address);
}

long munmap(uint64_t address, uint64_t size) {
  if (const long result = check_range(address, size); result != 0) return -EINVAL;
  Map* map = current().space->map_of(address, size);
  return map == nullptr ? -EINVAL : map->unmap(address, size);
}

long mprotect(uint64_t address, uint64_t size, int protection) {
  if (!page_aligned(address) || (protection & ~all_protections) != 0) return -EINVAL;
  if (size == 0) return 0;
  if (const long result = check_range(address, size); result != 0) return result;
  Map* map = current().space->map_of(address, size);
  return map == nullptr ? -ENOMEM : map->protect(address, size, protection);
}

long madvise(uint64_t address, uint64_t size, int advice) {
  constexpr int last_hint = MADV_POPULATE_WRITE;
  if (!page_aligned(address) || advice < 0 || advice > last_hint) return -EINVAL;
  if (size == 0 || advice != MADV_DONTNEED) return 0;
  if (const long result = check_range(address, size); result != 0) return result;
  Map* map = current().space->map_of(address, size);
  return map == nullptr ? -ENOMEM : map->discard(address, size);
}

}  // namespace osp::kernel::call
