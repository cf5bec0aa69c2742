#pragma once

#include <atomic>
#include <cstdint>

#include "kernel/library/list.h"
#include "kernel/library/lock.h"
#include "kernel/memory/area.h"
#include "libosp/host/native.h"

namespace osp::kernel {

// A part of an address space: its areas, and the page tables below one root. A space has one of its own and shares
// another, the window, with the other spaces of its task. Addresses and sizes that come in are whole pages within
// [start, end); 0 or minus an errno comes out.
class Map {
 public:
  // `keeps_top`: the root's entries stay, since other roots have them too.
  void prepare(uint64_t* root, uint64_t start, uint64_t end, bool keeps_top);

  [[nodiscard]] bool contains(uint64_t address, uint64_t size) const {
    return address >= start_ && address < end_ && size <= end_ - address;
  }

  // Puts an area in; it is the map's then, or dropped. EEXIST: something is there. ENOMEM: too many areas.
  [[nodiscard]] long insert(Area* area);

  // As insert(), at the first free place from `from` on; the address.
  [[nodiscard]] long insert_anywhere(Area* area, uint64_t from);

  // munmap(2), mprotect(2), madvise(2) with MADV_DONTNEED.
  [[nodiscard]] long unmap(uint64_t start, uint64_t size);
  [[nodiscard]] long protect(uint64_t start, uint64_t size, int protection);
  [[nodiscard]] long discard(uint64_t start, uint64_t size);

  // Makes the page at `address` there. EFAULT: `access` is not allowed. ENXIO: the segment ends before it. ENOMEM.
  [[nodiscard]] long fault(uint64_t address, Access access);

  // The same for writing, and which page it is then: for the kernel, while nothing else uses the map.
  [[nodiscard]] long touch(uint64_t address, uint64_t& page);

  // Makes all of an empty map a copy, page by page when either is written. ENOMEM: some of it is copied.
  [[nodiscard]] long clone_to(Map& child);

  // native.h, map_from: from this map into `target`, which may be the same.
  [[nodiscard]] long map_into(Map& target, uint64_t to, uint64_t from, uint64_t size, int protection,
                              native::MapHow how);

  // How many pages there are in it now.
  [[nodiscard]] uint64_t pages() {
    Locked guard(lock_);
    return pages_;
  }

  // Takes everything away.
  void clear();

  // The processors that have the map loaded, one bit each.
  std::atomic<uint64_t> processors = 0;

 private:
  struct Transfer;

  static constexpr uint32_t max_areas = 65536;

  // The first area that ends behind `address`; null: none does.
  Area* first_from(uint64_t address);
  // The same for a whole range without a hole; null: there is one.
  Area* first_of_whole(uint64_t start, uint64_t end);
  [[nodiscard]] long place(Area* area);
  void link(Area& area, Area* next);
  void unlink(Area& area);
  // Makes `address` the border of two areas, if it lies within one. False: no memory.
  [[nodiscard]] bool split_at(uint64_t address);
  [[nodiscard]] bool split_around(uint64_t start, uint64_t end) { return split_at(start) && split_at(end); }
  void join_around(Area& area);
  void join_all(uint64_t start, uint64_t end);

  [[nodiscard]] long unmap_locked(uint64_t start, uint64_t end);
  bool zap(uint64_t* table, int level, uint64_t start, uint64_t end, PageBatch& gone);
  void zap_and_forget(uint64_t start, uint64_t end);
  void forget();
  void map_around(const Area& area, uint64_t* place, uint64_t address);
  [[nodiscard]] long break_sharing(const Area& area, uint64_t& entry, uint64_t address);
  [[nodiscard]] bool copy_entries(const Area& area, Map& target, uint64_t to, uint64_t from, uint64_t size);

  [[nodiscard]] long transfer(const Transfer& what);
  [[nodiscard]] long transfer_area(const Transfer& what, Area& area);
  [[nodiscard]] long make_shared(Area& area);
  [[nodiscard]] long share_entry(Area& area, Segment& segment, uint64_t address);
  [[nodiscard]] long copy_segment(Map& target, Area& copy);
  [[nodiscard]] long move_entries(Area& moved, Map& target, uint64_t from);

  Spinlock lock_;
  List<Area, Map> areas_;
  Area* near_ = nullptr;  // where the last search ended
  uint32_t area_count_ = 0;
  uint64_t pages_ = 0;
  uint64_t* root_ = nullptr;
  uint64_t start_ = 0, end_ = 0;
  bool keeps_top_ = false;
};

}  // namespace osp::kernel
