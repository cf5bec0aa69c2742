#include "kernel/memory/area.h"

#include "kernel/library/pool.h"
#include "kernel/memory/segment.h"

namespace osp::kernel {
namespace {

constinit Pool<Area> areas;

// What nobody may write is the archive's own page, where it lies as one there.
uint64_t image_page(const Area& area, uint64_t address, bool urgent) {
  const uint64_t at = page_down(address) - area.start;
  const uint64_t left = at < area.source_size ? area.source_size - at : 0;
  const auto* from = reinterpret_cast<const char*>(area.source + at);
  if (left >= page_size && (area.source + at) % page_size == 0 && (area.protection & PROT_WRITE) == 0) {
    hold_page(physical_address(from));
    return physical_address(from);
  }
  const uint64_t page = allocate_program_page(urgent);
  if (page == 0) return 0;
  auto* to = static_cast<char*>(physical_pointer(page));
  const uint64_t size = left < page_size ? left : page_size;
  memcpy(to, from, size);
  memset(to + size, 0, page_size - size);
  return page;
}

}  // namespace

bool Area::continues_in(const Area& upper) const {
  if (end != upper.start || protection != upper.protection || backing != upper.backing || copies != upper.copies)
    return false;
  return backing == Backing::zero ||
         (backing == Backing::segment && segment == upper.segment && source + (end - start) == upper.source);
}

Area* make_area(uint64_t start, uint64_t end, int protection) {
  Area* area = areas.make();
  if (area != nullptr) area->start = start, area->end = end, area->protection = protection;
  return area;
}

void drop_area(Area* area) {
  if (area->segment != nullptr) area->segment->drop();
  areas.drop(area);
}

void advance_area(Area& area, uint64_t start) {
  const uint64_t step = start - area.start;
  area.start = start;
  if (area.backing != Area::Backing::zero) area.source += step;
  area.source_size = area.source_size > step ? area.source_size - step : 0;
}

Area* copy_area(const Area& area, uint64_t from, uint64_t to) {
  Area* copy = make_area(area.start, to, area.protection);
  if (copy == nullptr) return nullptr;
  copy->backing = area.backing;
  copy->copies = area.copies;
  copy->segment = area.segment;
  copy->source = area.source;
  copy->source_size = area.source_size;
  if (copy->segment != nullptr) copy->segment->hold();
  advance_area(*copy, from);
  return copy;
}

bool is_behind_end(const Area& area, uint64_t address) {
  return area.segment != nullptr && area.source + (page_down(address) - area.start) >= area.segment->size();
}

uint64_t page_for(const Area& area, uint64_t address, bool urgent) {
  const uint64_t at = page_down(address) - area.start;
  switch (area.backing) {
    case Area::Backing::segment:
      return area.segment->page_at(area.source + at, urgent);
    case Area::Backing::physical:
      hold_page(area.source + at);
      return area.source + at;
    case Area::Backing::image:
      return image_page(area, address, urgent);
    case Area::Backing::zero:
      break;
  }
  const uint64_t page = allocate_program_page(urgent);
  if (page != 0) clear_page(physical_pointer(page));
  return page;
}

uint64_t entry_for(const Area& area, uint64_t page, bool writable) {
  uint64_t entry = page | entry::kept | entry::user;
  if (area.protection != PROT_NONE) entry |= entry::present;
  if (writable && (area.protection & PROT_WRITE) != 0) entry |= entry::writable;
  if ((area.protection & PROT_EXEC) == 0) entry |= entry::no_execute;
  return entry;
}

}  // namespace osp::kernel
