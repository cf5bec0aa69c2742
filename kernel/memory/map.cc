#include "kernel/memory/map.h"

#include <cerrno>

// The areas of a map. What becomes of their pages is in map_pages.cc and map_share.cc.
namespace osp::kernel {

void Map::prepare(uint64_t* root, uint64_t start, uint64_t end, bool keeps_top) {
  root_ = root;
  start_ = start;
  end_ = end;
  keeps_top_ = keeps_top;
}

Area* Map::first_from(uint64_t address) {
  Area* area = near_ != nullptr ? near_ : areas_.first();
  while (area != nullptr && area->end <= address) area = areas_.after(*area);
  if (area == nullptr) return nullptr;
  for (Area* before = areas_.before(*area); before != nullptr && before->end > address; before = areas_.before(*area))
    area = before;
  near_ = area;
  return area;
}

Area* Map::first_of_whole(uint64_t start, uint64_t end) {
  Area* const first = first_from(start);
  if (first == nullptr || first->start > start) return nullptr;
  for (const Area* area = first; area->end < end;) {
    const Area* next = areas_.after(*area);
    if (next == nullptr || next->start != area->end) return nullptr;
    area = next;
  }
  return first;
}

void Map::link(Area& area, Area* next) {
  next == nullptr ? areas_.push_back(area) : areas_.insert_before(*next, area);
  ++area_count_;
}

void Map::unlink(Area& area) {
  if (near_ == &area) near_ = areas_.before(area);
  areas_.remove(area);
  --area_count_;
}

bool Map::split_at(uint64_t address) {
  Area* area = first_from(address);
  if (area == nullptr || area->start >= address) return true;
  Area* upper = area_count_ < max_areas ? copy_area(*area, address, area->end) : nullptr;
  if (upper == nullptr) return false;
  area->end = address;
  if (area->source_size > address - area->start) area->source_size = address - area->start;
  link(*upper, areas_.after(*area));
  return true;
}

void Map::join_around(Area& area) {
  Area* kept = &area;
  if (Area* before = areas_.before(area); before != nullptr && before->continues_in(area)) {
    before->end = area.end;
    unlink(area);
    drop_area(&area);
    kept = before;
  }
  if (Area* next = areas_.after(*kept); next != nullptr && kept->continues_in(*next)) {
    kept->end = next->end;
    unlink(*next);
    drop_area(next);
  }
}

void Map::join_all(uint64_t start, uint64_t end) {
  Area* area = first_from(start == 0 ? 0 : start - 1);
  while (area != nullptr && area->start <= end) {
    Area* next = areas_.after(*area);
    if (next != nullptr && area->continues_in(*next)) {
      area->end = next->end;
      unlink(*next);
      drop_area(next);
    } else {
      area = next;
    }
  }
}

long Map::place(Area* area) {
  Area* next = first_from(area->start);
  const long result = next != nullptr && next->start < area->end ? -EEXIST : area_count_ >= max_areas ? -ENOMEM : 0;
  if (result != 0) {
    drop_area(area);
    return result;
  }
  link(*area, next);
  join_around(*area);
  return 0;
}

long Map::insert(Area* area) {
  Locked guard(lock_);
  return place(area);
}

long Map::insert_anywhere(Area* area, uint64_t from) {
  Locked guard(lock_);
  const uint64_t size = area->end - area->start;
  uint64_t at = from > start_ ? from : start_;
  for (const Area* next = first_from(at); next != nullptr && next->start < at + size; next = areas_.after(*next))
    at = next->end > at ? next->end : at;
  if (at >= end_ || size > end_ - at) {
    drop_area(area);
    return -ENOMEM;
  }
  area->start = at;
  area->end = at + size;
  const long result = place(area);
  return result < 0 ? result : static_cast<long>(at);
}

long Map::unmap_locked(uint64_t start, uint64_t end) {
  if (!split_around(start, end)) return -ENOMEM;
  zap_and_forget(start, end);
  for (Area* area = first_from(start); area != nullptr && area->start < end;) {
    Area* next = areas_.after(*area);
    unlink(*area);
    drop_area(area);
    area = next;
  }
  return 0;
}

long Map::unmap(uint64_t start, uint64_t size) {
  Locked guard(lock_);
  return unmap_locked(start, start + size);
}

void Map::clear() {
  Locked guard(lock_);
  zap_and_forget(start_, end_);
  while (Area* area = areas_.first()) {
    unlink(*area);
    drop_area(area);
  }
}

long Map::discard(uint64_t start, uint64_t size) {
  Locked guard(lock_);
  if (first_of_whole(start, start + size) == nullptr) return -ENOMEM;
  zap_and_forget(start, start + size);
  return 0;
}

}  // namespace osp::kernel
