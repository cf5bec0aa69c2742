#include <cerrno>

#include "kernel/memory/map.h"
#include "kernel/memory/segment.h"
#include "kernel/memory/visit.h"

// How memory of one map appears in another: clones, and map_from.
namespace osp::kernel {

struct Map::Transfer {
  Map& target;
  uint64_t to, from, size;
  int protection;
  native::MapHow how;

  [[nodiscard]] uint64_t moved(uint64_t address) const { return address - from + to; }
};

// The pages of [from, from + size) appear at `to` in `target` as well; who writes one gets a copy of it.
bool Map::copy_entries(const Area& area, Map& target, uint64_t to, uint64_t from, uint64_t size) {
  entry::Cursor cursor(target.root_, target.keeps_top_);
  auto share = [&](uint64_t& place, uint64_t address) {
    uint64_t* copy = cursor.at(address - from + to);
    if (copy == nullptr) return false;
    place &= ~entry::writable;
    hold_page(entry::page_of(place));
    *copy = entry_for(area, entry::page_of(place), false);
    ++target.pages_;
    return true;
  };
  return entry::visit(root_, entry::levels - 1, from, from + size, share);
}

long Map::clone_to(Map& child) {
  Locked guard(lock_);
  long result = 0;
  for (Area* area = areas_.first(); area != nullptr && result == 0; area = areas_.after(*area)) {
    Area* copy = copy_area(*area, area->start, area->end);
    if (copy == nullptr) {
      result = -ENOMEM;
      break;
    }
    child.link(*copy, nullptr);
    if (area->is_private() && !copy_entries(*copy, child, area->start, area->start, area->end - area->start))
      result = -ENOMEM;
  }
  forget();
  return result;
}

long Map::map_into(Map& target, uint64_t to, uint64_t from, uint64_t size, int protection, native::MapHow how) {
  Map* const first = this < &target ? this : &target;
  Map* const second = first == this ? &target : this;
  Locked guard(first->lock_);
  if (first != second) second->lock_.lock();
  const long result = transfer({target, to, from, size, protection, how});
  if (first != second) second->lock_.unlock();
  return result;
}

long Map::transfer(const Transfer& what) {
  const Area* there = what.target.first_from(what.to);
  if (there != nullptr && there->start < what.to + what.size) return -EEXIST;
  if (first_of_whole(what.from, what.from + what.size) == nullptr) return -ENOMEM;
  if (!split_around(what.from, what.from + what.size)) return -ENOMEM;
  long result = 0;
  for (Area* area = first_from(what.from); result == 0 && area != nullptr && area->start < what.from + what.size;) {
    Area* next = areas_.after(*area);
    result = transfer_area(what, *area);
    area = next;
  }
  forget();
  if (what.how == native::MapHow::move) zap_and_forget(what.from, what.from + what.size);
  if (result != 0 && what.how != native::MapHow::move) (void)what.target.unmap_locked(what.to, what.to + what.size);
  if (result == 0) what.target.join_all(what.to, what.to + what.size);
  join_all(what.from, what.from + what.size);
  return result;
}

long Map::transfer_area(const Transfer& what, Area& area) {
  const uint64_t from = area.start, size = area.end - area.start;
  if (what.how == native::MapHow::share && area.is_private() && area.backing != Area::Backing::physical)
    if (const long result = make_shared(area); result != 0) return result;
  Area* made =
      area_count_ < max_areas && what.target.area_count_ < max_areas ? copy_area(area, area.start, area.end) : nullptr;
  if (made == nullptr) return -ENOMEM;
  made->start = what.moved(from);
  made->end = made->start + size;
  made->protection = what.protection;
  what.target.link(*made, what.target.first_from(made->start));
  if (what.how == native::MapHow::move) {
    unlink(area);
    drop_area(&area);
    return move_entries(*made, what.target, from);
  }
  if (what.how == native::MapHow::share) return 0;
  if (!area.is_private()) return copy_segment(what.target, *made);
  return copy_entries(*made, what.target, made->start, from, size) ? 0 : -ENOMEM;
}

// Private memory becomes a segment of its own, with the pages that have been touched.
long Map::make_shared(Area& area) {
  Segment* segment = Segment::create(area.end - area.start);
  if (segment == nullptr) return -ENOMEM;
  long result = 0;
  if (area.backing == Area::Backing::image || area.copies) {
    for (uint64_t at = area.start; at < area.end && result == 0; at += page_size)
      result = share_entry(area, *segment, at);
  } else {
    auto share = [&](uint64_t&, uint64_t at) { return (result = share_entry(area, *segment, at)) == 0; };
    entry::visit(root_, entry::levels - 1, area.start, area.end, share);
  }
  if (result != 0) {
    segment->drop();
    return result;
  }
  if (area.segment != nullptr) area.segment->drop();
  area.backing = Area::Backing::segment;
  area.copies = false;
  area.segment = segment;
  area.source = area.source_size = 0;
  return 0;
}

long Map::share_entry(Area& area, Segment& segment, uint64_t address) {
  uint64_t* place = entry::find(root_, address, entry::making(keeps_top_));
  if (place == nullptr) return -ENOMEM;
  if (*place == 0) {
    const uint64_t page = page_for(area, address, keeps_top_);
    if (page == 0) return -ENOMEM;
    *place = entry_for(area, page, true);
    ++pages_;
  }
  if (page_references(entry::page_of(*place)) > 1)
    if (const long result = break_sharing(area, *place, address); result != 0) return result;
  return segment.adopt(address - area.start, entry::page_of(*place)) ? 0 : -ENOMEM;
}

// A copy of shared memory is made at once, since who writes it cannot be stopped.
long Map::copy_segment(Map& target, Area& copy) {
  Segment* segment = copy.segment;
  const uint64_t source = copy.source;
  copy.backing = Area::Backing::zero;
  copy.segment = nullptr;
  copy.source = 0;
  long result = 0;
  for (uint64_t at = 0; at < copy.end - copy.start && result == 0; at += page_size) {
    const uint64_t page = segment->present_page(source + at);
    if (page == 0) continue;
    uint64_t* place = entry::find(target.root_, copy.start + at, entry::making(target.keeps_top_));
    const uint64_t own = place == nullptr ? 0 : allocate_program_page(target.keeps_top_);
    if (own == 0) {
      result = -ENOMEM;
      break;
    }
    copy_page(physical_pointer(own), physical_pointer(page));
    *place = entry_for(copy, own, true);
    ++target.pages_;
  }
  segment->drop();
  return result;
}

long Map::move_entries(Area& moved, Map& target, uint64_t from) {
  entry::Cursor cursor(target.root_, target.keeps_top_);
  auto move = [&](uint64_t& place, uint64_t address) {
    uint64_t* there = cursor.at(address - from + moved.start);
    if (there == nullptr) return false;
    const uint64_t page = entry::page_of(place);
    *there = entry_for(moved, page, !moved.is_private() || page_references(page) == 1);
    place = 0;
    --pages_, ++target.pages_;
    return true;
  };
  return entry::visit(root_, entry::levels - 1, from, from + (moved.end - moved.start), move) ? 0 : -ENOMEM;
}

}  // namespace osp::kernel
