#pragma once

#include "kernel/memory/entries.h"

namespace osp::kernel::entry {

// Calls `act(entry, address)` for each entry of [start, end) that holds a page, until it answers false. Whether it
// never did.
template <typename Act>
bool visit(uint64_t* entries, int level, uint64_t start, uint64_t end, Act& act) {
  while (start < end) {
    const uint64_t border = (start | (span_of(level) - 1)) + 1;
    const uint64_t stop = border < end ? border : end;
    uint64_t& entry = entries[index_of(start, level)];
    if (entry != 0) {
      if (level == 0 ? !act(entry, start) : !visit(table_of(entry), level - 1, start, stop, act)) return false;
    }
    start = stop;
  }
  return true;
}

// Finds entries one after the other; looks from the root only where a new table begins.
class Cursor {
 public:
  Cursor(uint64_t* root, bool urgent) : root_(root), missing_(making(urgent)) {}

  // The entry of `address`, made if it has to be; null: no memory.
  uint64_t* at(uint64_t address) {
    if (last_ != nullptr && (address ^ address_) < span_of(1)) return last_ + index_of(address, 0);
    uint64_t* entry = find(root_, address, missing_);
    if (entry == nullptr) return nullptr;
    address_ = address & ~(span_of(1) - 1);
    last_ = entry - index_of(address, 0);
    return entry;
  }

 private:
  uint64_t* root_;
  Missing missing_;
  uint64_t* last_ = nullptr;  // the table of `address_`
  uint64_t address_ = 0;
};

}  // namespace osp::kernel::entry
