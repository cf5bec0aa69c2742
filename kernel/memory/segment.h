#pragma once

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

  [[nodiscard]] uint64_t size() const { return size_; }

  // The page at `offset`, with one more reference, for a page table; 0: no memory. `urgent`: as page_for().
  [[nodiscard]] uint64_t page_at(uint64_t offset, bool urgent);

  // The page there if it has been touched, else 0; without a reference.
  [[nodiscard]] uint64_t present_page(uint64_t offset);

  // Takes `page` in (and holds it) at an offset that has none yet. False: no memory.
  [[nodiscard]] bool adopt(uint64_t offset, uint64_t page);

 private:
  Segment(uint64_t size, int levels) : Object(Kind::segment), size_(size), levels_(levels) {}
  ~Segment();
  friend class Pool<Segment>;

  uint64_t* slot_of(uint64_t offset, entry::Missing missing);
  void free_below(uint64_t table, int level);

  Spinlock lock_;
  uint64_t size_;
  int levels_;         // of the tree of pages
  uint64_t root_ = 0;  // its first table, or with no levels the page itself
};

}  // namespace osp::kernel
