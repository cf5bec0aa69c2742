#include "kernel/memory/entries.h"

namespace osp::kernel::entry {

uint64_t* find(uint64_t* root, uint64_t address, bool make) {
  uint64_t* at = root;
  for (int level = levels - 1; level > 0; --level) {
    uint64_t& next = at[index_of(address, level)];
    if (next == 0) {
      const uint64_t page = make ? allocate_clear_page() : 0;
      if (page == 0) return nullptr;
      next = page | table;
    }
    at = table_of(next);
  }
  return &at[index_of(address, 0)];
}

}  // namespace osp::kernel::entry
