#pragma once

#include <cstdint>
#include <vector>

#include "libosp/memory/address_space.h"
#include "libosp/patch/known_sites.h"

namespace osp::patch {

// The copies of code that a process has mapped in place of files (code_copy.h).
class MappedCopies {
 public:
  explicit MappedCopies(memory::AddressSpace& memory) : memory_(memory) {}

  // Maps the last copy of the file in place of `area`, which has just been mapped. False: there is none for it.
  bool map(const memory::Area& area, const KnownFile& file);
  // The same for memory that has been there for some time and in which `own` has been written: if nothing else has
  // been.
  bool replace(const memory::Area& area, const KnownFile& file, const std::vector<Plan>& own);
  // In which of its file's copies the code at `address` is; 0: it is the file itself.
  [[nodiscard]] unsigned generation_at(uintptr_t address) const;
  // The memory is gone, some of it or all: so are the trampolines, where it was all of the code.
  void forget(uintptr_t start, uintptr_t end);
  void forget_all() { copies_.clear(); }
  // The Plans of the copies whose code or trampolines lie between, of each copy once; else none.
  [[nodiscard]] std::vector<Plan> take_plans(uintptr_t start, uintptr_t end);
  // Of all that have not been taken.
  [[nodiscard]] std::vector<Plan> take_all_plans();

 private:
  struct Mapped {
    uintptr_t start = 0, end = 0, trampolines = 0, trampolines_end = 0;
    CodeCopy copy;
    unsigned generation = 0;
    bool taken = false;
  };
  static std::vector<Plan> take(Mapped& mapped);
  memory::AddressSpace& memory_;
  std::vector<Mapped> copies_;
};

}  // namespace osp::patch
