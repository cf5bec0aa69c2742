#pragma once

#include <cstdint>
#include <vector>

#include "libosp/load/elf.h"
#include "libosp/load/refusal.h"

namespace osp::load {

// One thing to do to the address space, in order.
struct Action {
  enum class Kind : unsigned char {
    map_file,       // mmap(address, size, protection, MAP_PRIVATE | MAP_FIXED, file, file_offset)
    map_anonymous,  // mmap(address, size, protection, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS)
    zero,           // memset(address, 0, size): the rest of the last file page; it is mapped and writable
  };
  Kind kind = Kind::map_file;
  uint64_t address = 0;      // page-aligned, but for `zero`
  uint64_t size = 0;         // whole pages, but for `zero`; never 0
  int protection = 0;        // PROT_*; of the pages in which `zero` lies too
  uint64_t file_offset = 0;  // page-aligned; map_file only
};

// Where an ELF image goes. All addresses are final.
struct ImagePlan {
  uint64_t bias = 0;   // added to every address in the file; 0 for Kind::fixed
  uint64_t start = 0;  // of the span, page-aligned
  uint64_t size = 0;   // of the span in bytes, whole pages; holes between segments are in it
  uint64_t entry = 0;
  uint64_t phdr_address = 0;  // 0 if the headers are not mapped
  uint16_t phdr_count = 0;
  uint64_t brk_start = 0;  // the first page after the last segment
  std::vector<Action> actions;
};

// The bytes of address space that an image needs, whole pages.
[[nodiscard]] uint64_t span_size(const Program& program);

// The alignment that its base must have: the largest of its segments'.
[[nodiscard]] uint64_t base_alignment(const Program& program);

// What to map to load `program`. A movable one starts at `base`, which must be a multiple of base_alignment()
// (EINVAL), or, if it was linked to an address that is not, as far above it as it was linked;
// `base` is ignored for a fixed one. The range [lowest, limit) is what programs may use: an image outside is
// refused with ENOMEM and the reason. Nothing is mapped here.
struct Range {
  uint64_t lowest = 0x10000;
  uint64_t limit = address_limit;
};
[[nodiscard]] Outcome<ImagePlan> plan_image(const Program& program, uint64_t base, Range allowed = {});

// A program with its interpreter, if it has one.
struct LoadPlan {
  ImagePlan program;
  ImagePlan interpreter;          // empty (size 0) when there is none
  uint64_t entry = 0;             // where the first instruction is: the interpreter's entry, or the program's
  uint64_t interpreter_base = 0;  // AT_BASE
  bool executable_stack = false;
};

struct Bases {
  uint64_t program = 0;      // ignored for a fixed program
  uint64_t interpreter = 0;  // ignored without an interpreter
};

// Plans both; `interpreter` is null when the program names none. Refuses as plan_image() does, and with ENOMEM
// if the two overlap.
[[nodiscard]] Outcome<LoadPlan> plan_load(const Program& program, const Program* interpreter, Bases bases,
                                          Range allowed = {});

}  // namespace osp::load
