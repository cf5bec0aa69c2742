#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>

#include "libosp/memory/address_space.h"
#include "libosp/patch/plan.h"

namespace osp::patch {

// Rewrites call sites that were caught by SIGSYS, so that the next call from there is a jump. A site is
// patched when it has been caught some times: most sites of a short program run once or twice.
class SitePatcher {
 public:
  explicit SitePatcher(memory::AddressSpace& memory) : memory_(memory) {}

  // A call was caught; `rip` is behind its syscall instruction.
  void caught(uintptr_t rip);
  // The memory is gone, or will be other code's.
  void forget(uintptr_t start, size_t size);
  // After execve: the sites are gone with the memory.
  void forget_all();
  // Sites are the program's own again, and stay so until resume(): a debugger looks at them.
  void suspend();
  void resume() { suspended_ = false; }
  // The program counter as the program's own code has it: signal frames show no trampolines.
  [[nodiscard]] uintptr_t original_rip(uintptr_t rip) const;

 private:
  void patch(uintptr_t site);
  void give_up(uintptr_t site, const char* why) const;
  uintptr_t trampoline_near(uintptr_t site, size_t size);

  memory::AddressSpace& memory_;
  std::map<uintptr_t, unsigned> seen_;
  std::map<uintptr_t, Plan> patched_;                 // by trampoline
  std::map<uintptr_t, std::vector<uint8_t>> before_;  // what was where it has been written
  bool suspended_ = false;
  std::unordered_map<uintptr_t, uintptr_t> paddings_;  // padding with a jump in it → trampoline
  struct Page {
    uintptr_t start = 0;
    size_t used = 0;
  };
  std::vector<Page> pages_;
};

}  // namespace osp::patch
