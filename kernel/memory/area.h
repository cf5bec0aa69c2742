#pragma once

#include <sys/mman.h>

#include <cstdint>

#include "kernel/library/list.h"
#include "kernel/memory/entries.h"

namespace osp::kernel {

class Map;
class Segment;

// What is touched: the processor's reasons for a page fault, in words.
enum class Access : uint8_t { read, write, execute };

// A stretch of addresses with the same rights and the same memory behind it.
struct Area : Link<Map> {
  // zero: zeroes, its own. image: bytes of the boot archive, its own when it may write them, then zeroes. segment:
  // shared. physical: pages of the kernel's, copied when written.
  enum class Backing : uint8_t { zero, image, segment, physical };

  uint64_t start = 0, end = 0;
  int protection = 0;
  Backing backing = Backing::zero;
  bool copies = false;         // of a segment: a page is the area's own from when it is written
  Segment* segment = nullptr;  // holds a reference
  uint64_t source = 0;         // the offset in the segment, the physical address, or the address of the image's bytes
  uint64_t source_size = 0;    // how many bytes the image has

  [[nodiscard]] bool is_private() const { return backing != Backing::segment || copies; }
  // Whether a page that page_for() gives is nobody else's, or is meant to be shared.
  [[nodiscard]] bool may_write_new() const { return backing != Backing::physical && !copies; }
  [[nodiscard]] bool allows(Access access) const {
    if (access == Access::write) return (protection & PROT_WRITE) != 0;
    return access == Access::execute ? (protection & PROT_EXEC) != 0 : protection != PROT_NONE;
  }
  // Whether `upper` begins where this ends, with the same memory going on.
  [[nodiscard]] bool continues_in(const Area& upper) const;
};

// A copy of the area from `from` to `to`, which lie in it; its segment is held. Null: no memory.
[[nodiscard]] Area* copy_area(const Area& area, uint64_t from, uint64_t to);
[[nodiscard]] Area* make_area(uint64_t start, uint64_t end, int protection);
void drop_area(Area* area);

// Takes the area's first bytes off: it begins at `start`, which lies in it.
void advance_area(Area& area, uint64_t start);

// Whether the area's segment, if it has one, ends before the page of `address`.
[[nodiscard]] bool is_behind_end(const Area& area, uint64_t address);

// A page for the area's address `address`, with a reference for the page table; 0: no memory. `urgent`: it may be of
// the last that there are.
[[nodiscard]] uint64_t page_for(const Area& area, uint64_t address, bool urgent);

// The entry for a page of the area. `writable`: it is nobody else's.
[[nodiscard]] uint64_t entry_for(const Area& area, uint64_t page, bool writable);

}  // namespace osp::kernel
