#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>

#include "libosp/memory/address_space.h"
#include "libosp/patch/code_writer.h"
#include "libosp/patch/known_sites.h"
#include "libosp/patch/mapped_copies.h"
#include "libosp/patch/plan.h"

namespace osp::patch {

// Rewrites call sites that were caught by SIGSYS, so that the next call from there is a jump. A site is
// patched when it has been caught some times (most sites of a short program run once or twice), and when its file is
// mapped anew.
class SitePatcher {
 public:
  explicit SitePatcher(memory::AddressSpace& memory) : memory_(memory), copies_(memory) {}

  // A call was caught; `rip` is behind its syscall instruction.
  void caught(uintptr_t rip);
  // Something was mapped there, and no code of it has run: the sites that are known of its file are patched.
  void mapped(uintptr_t start, size_t size);
  // The same of a program's loader, and its cpuid instructions too.
  void mapped_loader(uintptr_t start, size_t size);
  // A child will be made, which begins with this code: what is known by now is patched, for it and for what comes
  // after.
  void forking();
  // The memory is gone, or other code's now.
  void forget(uintptr_t start, size_t size);
  // In the child of a fork: memory with MADV_DONTFORK.
  void forget_unforked();
  // The code is the program's own again: it will be moved.
  void give_back(uintptr_t start, size_t size);
  // Whether the code is a copy: pages of the file may differ from it.
  [[nodiscard]] bool is_copy(uintptr_t address) const { return copies_.generation_at(address) != 0; }
  // After execve: the sites are gone with the memory.
  void forget_all();
  // Sites are the program's own again, and stay so until resume(): a debugger looks at them.
  void suspend();
  void resume() { suspended_ = false; }
  // The program counter as the program's own code has it: signal frames show no trampolines.
  [[nodiscard]] uintptr_t original_rip(uintptr_t rip);
  // KnownSites::leave().
  void leave();

 private:
  void learn(uintptr_t site);
  enum class When : uint8_t { mapped, forking };
  void patch_known(KnownFile& file, const memory::Area& area, When when);
  void map_copy(KnownFile& file, const memory::Area& area);
  void replace_by_copy(const KnownFile& file, const memory::Area& area);
  [[nodiscard]] bool is_done(uintptr_t site, const KnownSite& known) const;
  void adopt(const Plan& plan);
  void adopt_all(const std::vector<Plan>& plans);
  void undo(const Plan& plan, CodeWriter& writer) const;
  void patch_examined(KnownFile& file, const Code& code, uint64_t distance, When when, CodeWriter& writer);
  void examine_and_patch(KnownFile& file, const Code& code, uint64_t distance, CodeWriter& writer);
  void patch(uintptr_t site);
  // Why not, or null.
  const char* install(const Site& site, CodeWriter& writer);
  void give_up(uintptr_t site, const char* why) const;
  uintptr_t room_near(uintptr_t site, size_t size);
  uintptr_t cpuid_routine_near(uintptr_t site, CodeWriter& writer);

  memory::AddressSpace& memory_;
  MappedCopies copies_;
  std::map<uintptr_t, unsigned> seen_;
  std::map<uintptr_t, Plan> patched_;  // by trampoline; of copies only those that have been needed
  bool suspended_ = false;
  std::unordered_map<uintptr_t, uintptr_t> paddings_;  // padding with a jump in it → trampoline
  struct Page {
    uintptr_t start = 0;
    size_t used = 0;
  };
  std::vector<Page> pages_;
  uintptr_t cpuid_routine_ = 0;
  uint32_t changes_ = 0;  // KnownSites::changes() when forking() looked
  uint32_t forks_ = 0;
};

}  // namespace osp::patch
