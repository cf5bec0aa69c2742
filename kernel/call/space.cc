#include "kernel/memory/space.h"

#include <sys/mman.h>

#include <cerrno>

#include "kernel/call/calls.h"
#include "kernel/cpu/processor.h"
#include "kernel/cpu/user_copy.h"
#include "kernel/memory/segment.h"
#include "kernel/task/schedule.h"
#include "kernel/task/task.h"

namespace osp::kernel::call {
namespace {

constexpr int all_protections = PROT_READ | PROT_WRITE | PROT_EXEC;

Handles& handles() { return current().task->handles(); }

bool is_bad_range(uint64_t address, uint64_t size) {
  return !page_aligned(address) || size == 0 || size > user_end - page_size;
}

}  // namespace

long space_make() {
  Space* space = Space::create(*current().task);
  return space == nullptr ? -ENOMEM : handles().add(space);
}

long space_clone() {
  Held<Space> child(Space::create(*current().task));
  if (!child) return -ENOMEM;
  if (const long result = current().space->own().clone_to(child->own()); result != 0) return result;
  return handles().add(child.release());
}

long space_enter(int handle) {
  Held<Space> space = handles().find<Space>(handle);
  if (!space) return -EBADF;
  if (space.get() != current().space) enter_space(*space.release());
  return 0;
}

long space_drop(int handle) { return handles().close(handle, Object::Kind::space); }

long map_from(uint64_t to, uint64_t from, uint64_t size, int protection, uint64_t how) {
  if (is_bad_range(to, size) || is_bad_range(from, size) || (protection & ~all_protections) != 0) return -EINVAL;
  if (how > static_cast<uint64_t>(native::MapHow::move)) return -EINVAL;
  size = page_up(size);
  Map* source = current().space->map_of(from, size);
  Map* target = current().space->map_of(to, size);
  if (source == nullptr || target == nullptr) return -ENOMEM;
  return source->map_into(*target, to, from, size, protection, static_cast<native::MapHow>(how));
}

long memory_use(native::MemoryUse* to) {
  const native::MemoryUse use = {total_page_count() * page_size, free_page_count() * page_size,
                                 current().space->own().pages() * page_size};
  return copy_out(to, &use, sizeof use);
}

long segment_make(uint64_t size) {
  if (size == 0 || size > user_end) return -EINVAL;
  Segment* segment = Segment::create(page_up(size));
  return segment == nullptr ? -ENOMEM : handles().add(segment);
}

long segment_map(int handle, uint64_t address, int protection) {
  Held<Segment> segment = handles().find<Segment>(handle);
  if (!segment) return -EBADF;
  if (!page_aligned(address) || (protection & ~all_protections) != 0) return -EINVAL;
  Map* map = current().space->map_of(address, segment->size());
  if (map == nullptr) return -ENOMEM;
  Area* area = make_area(address, address + segment->size(), protection);
  if (area == nullptr) return -ENOMEM;
  area->backing = Area::Backing::segment;
  area->segment = segment.release();
  return map->insert(area);
}

long segment_map_part(int handle, uint64_t address, uint64_t size, uint64_t offset, int protection, uint64_t how) {
  Held<Segment> segment = handles().find<Segment>(handle);
  if (!segment) return -EBADF;
  if (is_bad_range(address, size) || (protection & ~all_protections) != 0) return -EINVAL;
  if (!page_aligned(offset) || offset > user_end || how > static_cast<uint64_t>(native::MapHow::copy)) return -EINVAL;
  size = page_up(size);
  Map* map = current().space->map_of(address, size);
  if (map == nullptr) return -ENOMEM;
  if (const long result = map->unmap(address, size); result != 0) return result;
  Area* area = make_area(address, address + size, protection);
  if (area == nullptr) return -ENOMEM;
  area->backing = Area::Backing::segment;
  area->copies = how == static_cast<uint64_t>(native::MapHow::copy);
  area->segment = segment.release();
  area->source = offset;
  return map->insert(area);
}

long segment_resize(int handle, uint64_t size) {
  Held<Segment> segment = handles().find<Segment>(handle);
  if (!segment) return -EBADF;
  if (size > user_end) return -EINVAL;
  return segment->resize(page_up(size)) ? 0 : -ENOMEM;
}

}  // namespace osp::kernel::call
