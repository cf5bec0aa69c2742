#include "kernel/memory/segment.h"

#include "kernel/library/pool.h"
#include "kernel/memory/entries.h"

namespace osp::kernel {
namespace {

constinit Pool<Segment> segments;

int levels_for(uint64_t size) {
  int levels = 0;
  while (levels < entry::levels && size > entry::span_of(levels)) ++levels;
  return levels;
}

uint64_t* table_at(uint64_t page) { return static_cast<uint64_t*>(physical_pointer(page)); }

}  // namespace

Segment* Segment::create(uint64_t size) { return segments.make(size, levels_for(size)); }

Segment::~Segment() {
  if (root_ != 0) free_below(root_, levels_);
}

void Segment::free_below(uint64_t table, int level) {
  for (int i = 0; level > 0 && i < 512; ++i)
    if (const uint64_t next = table_at(table)[i]; next != 0) free_below(next, level - 1);
  drop_page(table);
}

// Drops what lies from `offset` on below a table; a table stays if `offset` is within it.
void Segment::free_from(uint64_t* table, int level, uint64_t offset) {
  const uint64_t span = entry::span_of(level - 1);
  for (uint64_t i = 0; i < 512; ++i) {
    uint64_t& slot = table[i];
    const uint64_t start = i * span;
    if (slot == 0 || start + span <= offset) continue;
    if (start >= offset) {
      free_below(slot, level - 1);
      slot = 0;
    } else {
      free_from(table_at(slot), level - 1, offset - start);
    }
  }
}

bool Segment::resize(uint64_t size) {
  Locked guard(lock_);
  if (root_ != 0 && size < size_.load()) {
    if (size == 0) {
      free_below(root_, levels_);
      root_ = 0;
    } else if (levels_ > 0) {
      free_from(table_at(root_), levels_, size);
    }
  }
  while (levels_ < levels_for(size)) {
    if (root_ != 0) {
      const uint64_t page = allocate_program_page(true);
      if (page == 0) return false;
      clear_page(physical_pointer(page));
      table_at(page)[0] = root_;
      root_ = page;
    }
    ++levels_;
  }
  size_.store(size);
  return true;
}

uint64_t* Segment::slot_of(uint64_t offset, entry::Missing missing) {
  uint64_t* slot = &root_;
  for (int level = levels_; level > 0; --level) {
    if (*slot == 0) {
      const uint64_t page =
          missing == entry::Missing::leave ? 0 : allocate_program_page(missing == entry::Missing::make_urgently);
      if (page == 0) return nullptr;
      clear_page(physical_pointer(page));
      *slot = page;
    }
    slot = &table_at(*slot)[entry::index_of(offset, level - 1)];
  }
  return slot;
}

uint64_t Segment::page_at(uint64_t offset, bool urgent) {
  Locked guard(lock_);
  uint64_t* slot = offset < size_.load() ? slot_of(offset, entry::making(urgent)) : nullptr;
  if (slot == nullptr) return 0;
  if (*slot == 0) {
    *slot = allocate_program_page(urgent);
    if (*slot == 0) return 0;
    clear_page(physical_pointer(*slot));
  }
  hold_page(*slot);
  return *slot;
}

uint64_t Segment::present_page(uint64_t offset) {
  Locked guard(lock_);
  const uint64_t* slot = slot_of(offset, entry::Missing::leave);
  return slot == nullptr ? 0 : *slot;
}

void Segment::present_pages(uint64_t offset, uint64_t* pages, uint32_t count) {
  Locked guard(lock_);
  const uint64_t* slot = slot_of(offset, entry::Missing::leave);
  const uint32_t there = slot == nullptr ? 0 : levels_ == 0 ? 1 : count;
  for (uint32_t i = 0; i < count; ++i) {
    pages[i] = i < there ? slot[i] : 0;
    if (pages[i] != 0) hold_page(pages[i]);
  }
}

bool Segment::adopt(uint64_t offset, uint64_t page) {
  Locked guard(lock_);
  uint64_t* slot = slot_of(offset, entry::Missing::make_urgently);
  if (slot == nullptr) return false;
  hold_page(page);
  *slot = page;
  return true;
}

void Segment::destroy(Segment* segment) { segments.drop(segment); }

}  // namespace osp::kernel
