// What the program has laid down for its memory as a whole: seals (mseal(2)) and locks (mlockall(2)).
#include <sys/mman.h>

#include <algorithm>

#include "base/raw_syscall.h"
#include "libosp/memory/address_space.h"

namespace osp::memory {
namespace {

constexpr size_t first_stack = 128 * 1024;                // what Linux begins a stack with
constexpr int guard_install = 102, dontneed_locked = 24;  // MADV_*, which libc's headers lack

bool discards(int advice) {
  return advice == MADV_DONTNEED || advice == MADV_FREE || advice == MADV_REMOVE || advice == MADV_DONTFORK ||
         advice == MADV_WIPEONFORK || advice == guard_install || advice == dontneed_locked;
}

}  // namespace

Result<void> AddressSpace::seal(uintptr_t start, size_t size) {
  const uintptr_t end = start + page_up(size);
  for (uintptr_t at = start; at < end;) {
    const Area* area = find(at);
    if (area == nullptr) return fail(ENOMEM);
    at = area->end;
  }
  split(start);
  split(end);
  for (auto it = areas_.lower_bound(start); it != areas_.end() && it->first < end; ++it) it->second.sealed = true;
  return {};
}

bool AddressSpace::is_sealed(uintptr_t start, size_t size) const {
  const uintptr_t end = start + page_up(size);
  auto it = areas_.upper_bound(start);
  if (it != areas_.begin() && std::prev(it)->second.end > start) --it;
  for (; it != areas_.end() && it->first < end; ++it)
    if (it->second.sealed) return true;
  return false;
}

// What could be written anyway may be discarded, and so may what a file holds (can_madvise_modify() in mm/madvise.c).
bool AddressSpace::discards_sealed(uintptr_t start, size_t size, int advice) const {
  const uintptr_t end = start + page_up(size);
  if (!discards(advice) || !is_sealed(start, size)) return false;
  for (const auto& [at, area] : areas_) {
    if (at >= end) break;
    const bool changeable = (area.flags & MAP_SHARED) != 0 || (area.protection & PROT_WRITE) != 0;
    if (area.end > start && area.sealed && !changeable) return true;
  }
  return false;
}

// Errors of pages that cannot be had (PROT_NONE) are none, as in mlockall(2).
Result<void> AddressSpace::lock_all(int flags, uintptr_t stack_pointer) const {
  for (const auto& [start, area] : areas_) {
    const bool on_it = stack_pointer >= start && stack_pointer < area.end;
    const uintptr_t used = on_it ? std::min(page_down(stack_pointer), area.end - first_stack) : area.end - first_stack;
    const uintptr_t from = area.use == Use::stack ? std::max(start, used) : start;
    const long result = raw::syscall(SYS_mlock2, from, area.end - from, flags);
    if (result < 0 && area.protection != PROT_NONE) return fail(static_cast<int>(-result));
  }
  return {};
}

}  // namespace osp::memory
