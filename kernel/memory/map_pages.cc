#include <cerrno>

#include "kernel/cpu/processor.h"
#include "kernel/cpu/registers.h"
#include "kernel/memory/map.h"
#include "kernel/memory/segment.h"
#include "kernel/memory/shootdown.h"
#include "kernel/memory/visit.h"

// The page tables of a map.
namespace osp::kernel {

void Map::forget() {
  const uint64_t loaded = processors.load();
  if ((loaded >> here().index & 1) != 0) cpu::write_cr3(cpu::read_cr3());
  shoot_down(loaded);
}

bool Map::zap(uint64_t* table, int level, uint64_t start, uint64_t end, PageBatch& gone) {
  bool any = false;
  while (start < end) {
    const uint64_t border = (start | (entry::span_of(level) - 1)) + 1;
    const uint64_t stop = border < end ? border : end;
    uint64_t& place = table[entry::index_of(start, level)];
    if (place != 0) {
      any |= level == 0 || zap(entry::table_of(place), level - 1, start, stop, gone);
      const bool whole = level == 0 || stop - start == entry::span_of(level);
      if (whole && !(keeps_top_ && level == entry::levels - 1)) {
        gone.drop(entry::page_of(place));
        place = 0;
        pages_ -= level == 0;
        any = true;
      }
    }
    start = stop;
  }
  return any;
}

void Map::zap_and_forget(uint64_t start, uint64_t end) {
  PageBatch gone;
  if (zap(root_, entry::levels - 1, start, end, gone)) forget();
}

long Map::fault(uint64_t address, Access access) {
  Locked guard(lock_);
  const Area* area = first_from(address);
  if (area == nullptr || area->start > address || !area->allows(access)) return -EFAULT;
  if (is_behind_end(*area, address)) return -ENXIO;
  uint64_t* place = entry::find(root_, address, entry::making(keeps_top_));
  if (place == nullptr) return -ENOMEM;
  if (*place == 0) {
    const uint64_t page = page_for(*area, address, keeps_top_);
    if (page == 0) return -ENOMEM;
    const bool own = area->may_write_new() && (!area->is_private() || page_references(page) == 1);
    *place = entry_for(*area, page, own);
    ++pages_;
    if (area->segment != nullptr) map_around(*area, place, address);
    if (access != Access::write || own) return 0;
  }
  if (access == Access::write && (*place & entry::writable) == 0) return break_sharing(*area, *place, address);
  cpu::forget_page(address);  // another processor has made it meanwhile
  return 0;
}

// Pages that the segment has near one that was touched will be touched too: each would cost a fault.
void Map::map_around(const Area& area, uint64_t* place, uint64_t address) {
  constexpr uint32_t count = 16;
  const uint64_t offset = area.source + (page_down(address) - area.start);
  const uint64_t before = offset % (count * page_size), start = page_down(address) - before;
  if (offset - before < area.source) return;
  if (entry::index_of(address, 0) < before / page_size || entry::index_of(start, 0) > 512 - count) return;
  uint64_t pages[count];
  area.segment->present_pages(offset - before, pages, count);
  uint64_t* const entries = place - before / page_size;
  for (uint32_t i = 0; i < count; ++i) {
    if (pages[i] == 0) continue;
    if (entries[i] == 0 && start + i * page_size < area.end) {
      entries[i] = entry_for(area, pages[i], area.may_write_new());
      ++pages_;
    } else {
      drop_page(pages[i]);
    }
  }
}

long Map::touch(uint64_t address, uint64_t& page) {
  if (const long result = fault(address, Access::write); result != 0) return result;
  page = entry::page_of(*entry::find(root_, address, entry::Missing::leave));
  return 0;
}

long Map::break_sharing(const Area& area, uint64_t& place, uint64_t address) {
  const uint64_t old = entry::page_of(place);
  if (!area.is_private() || page_references(old) == 1) {
    place = entry_for(area, old, true);
    cpu::forget_page(address);
    return 0;
  }
  const uint64_t page = allocate_program_page(keeps_top_);
  if (page == 0) return -ENOMEM;
  copy_page(physical_pointer(page), physical_pointer(old));
  place = entry_for(area, page, true);
  cpu::forget_page(address);
  shoot_down(processors.load());
  drop_page(old);
  return 0;
}

long Map::protect(uint64_t start, uint64_t size, int protection) {
  Locked guard(lock_);
  const uint64_t end = start + size;
  if (first_of_whole(start, end) == nullptr || !split_around(start, end)) return -ENOMEM;
  bool any = false;
  for (Area* area = first_from(start); area != nullptr && area->start < end; area = areas_.after(*area)) {
    area->protection = protection;
    auto change = [&](uint64_t& place, uint64_t) {
      const uint64_t page = entry::page_of(place);
      place = entry_for(*area, page, !area->is_private() || page_references(page) == 1);
      return any = true;
    };
    entry::visit(root_, entry::levels - 1, area->start, area->end, change);
  }
  if (any) forget();
  join_all(start, end);
  return 0;
}

}  // namespace osp::kernel
