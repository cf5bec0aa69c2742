#pragma once

#include <atomic>
#include <cstdint>

#include "kernel/ipc/object.h"
#include "kernel/library/lock.h"
#include "kernel/memory/entries.h"

namespace osp::kernel {

// Memory that several maps can share: zeroes until they are written. A page belongs to it from the first touch.
class Segment : public Object {
 public:
  static constexpr Kind object_kind = Kind::segment;

  // `size` bytes. Null: no memory.
  [[nodiscard]] static Segment* create(uint64_t size);
  static void destroy(Segment* segment);

  [[nodiscard]] uint64_t size() const { return size_.load(std::memory_order_relaxed); }

  // native.h, segment_resize. False: no memory.
  [[nodiscard]] bool resize(uint64_t size);

  // The page at `offset`, with one more reference, for a page table; 0: no memory, or behind the end. `urgent`: as
  // page_for().
  [[nodiscard]] uint64_t page_at(uint64_t offset, bool urgent);

  // The page there if it has been touched, else 0; without a reference.
  [[nodiscard]] uint64_t present_page(uint64_t offset);

  // The pages that have been touched among the `count` from `offset` on, each with a reference more; 0 for others. All
  // of them lie in one table: `offset` is a multiple of `count` pages, a power of two.
  void present_pages(uint64_t offset, uint64_t* pages, uint32_t count);

  // Takes `page` in (and holds it) at an offset that has none yet. False: no memory.
  [[nodiscard]] bool adopt(uint64_t offset, uint64_t page);

 private:
  Segment(uint64_t size, int levels) : Object(Kind::segment), size_(size), levels_(levels) {}
  ~Segment();
  friend class Pool<Segment>;

  uint64_t* slot_of(uint64_t offset, entry::Missing missing);
  void free_below(uint64_t table, int level);
  void free_from(uint64_t* table, int level, uint64_t offset);

  Spinlock lock_;
  std::atomic<uint64_t> size_;  // whole pages
  int levels_;                  // of the tree of pages
  uint64_t root_ = 0;           // its first table, or with no levels the page itself
};

}  // namespace osp::kernel
