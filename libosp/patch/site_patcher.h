#pragma once

#include <cstdint>
#include <unordered_map>
#include <unordered_set>

#include "libosp/memory/address_space.h"

namespace osp::patch {

// Rewrites call sites that were caught by SIGSYS, so that the next call from there is a jump. A site is
// patched when it has been caught some times: most sites of a short program run once or twice.
class SitePatcher {
 public:
  explicit SitePatcher(memory::AddressSpace& memory) : memory_(memory) {}

  // A call was caught; `rip` is behind its syscall instruction.
  void caught(uintptr_t rip);
  // After execve: the sites are gone with the memory.
  void forget_all();

 private:
  void patch(uintptr_t site);
  uintptr_t trampoline_near(uintptr_t site, size_t size);

  memory::AddressSpace& memory_;
  std::unordered_map<uintptr_t, unsigned> seen_;
  struct Page {
    uintptr_t start = 0;
    size_t used = 0;
  };
  std::vector<Page> pages_;
};

}  // namespace osp::patch
