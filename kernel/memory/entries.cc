#include "kernel/memory/entries.h"

namespace osp::kernel::entry {

uint64_t* find(uint64_t* root, uint64_t address, Missing missing) {
  uint64_t* at = root;
  for (int level = levels - 1; level > 0; --level) {
    uint64_t& next = at[index_of(address, level)];
    if (next == 0) {
      const uint64_t page = missing == Missing::leave ? 0 : allocate_program_page(missing == Missing::make_urgently);
      if (page == 0) return nullptr;
      clear_page(physical_pointer(page));
      next = page | table;
    }
    at = table_of(next);
  }
  return &at[index_of(address, 0)];
}

}  // namespace osp::kernel::entry
