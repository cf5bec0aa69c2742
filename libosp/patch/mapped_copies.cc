#include "libosp/patch/mapped_copies.h"

#include <utility>

#include "base/raw_syscall.h"

namespace osp::patch {

bool MappedCopies::map(const memory::Area& area, const KnownFile& file) {
  const unsigned generation = file.last_copy();
  if (generation == 0 || CodeFile::fd() < 0) return false;
  const CodeCopy copy = file.copy(generation);
  const size_t size = area.end - area.start, room = copy.trampoline_pages * memory::page_size;
  if (area.offset != copy.file_offset || size != copy.code_pages * memory::page_size) return false;
  const uintptr_t trampolines = area.start - copy.before_code;
  const uint64_t at = copy.first_page * memory::page_size;
  const auto mapped = memory_.map(trampolines, room, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED_NOREPLACE,
                                  CodeFile::fd(), at, nullptr, memory::Use::trampolines);
  if (!mapped) return false;
  // What is recorded of the area stays: to the program it is the file.
  const long placed =
      raw::syscall(SYS_mmap, area.start, size, area.protection, MAP_PRIVATE | MAP_FIXED, CodeFile::fd(), at + room);
  if (placed < 0) {
    static_cast<void>(memory_.unmap(trampolines, room));
    return false;
  }
  copies_.push_back({area.start, area.end, trampolines, trampolines + room, copy, generation});
  return true;
}

unsigned MappedCopies::generation_at(uintptr_t address) const {
  for (const Mapped& m : copies_)
    if (address >= m.start && address < m.end) return m.generation;
  return 0;
}

void MappedCopies::forget(uintptr_t start, size_t size) {
  std::erase_if(copies_, [&](const Mapped& m) {
    if (start > m.start || start + size < m.end) return false;
    static_cast<void>(memory_.unmap(m.trampolines, m.trampolines_end - m.trampolines));
    return true;
  });
}

std::vector<Plan> MappedCopies::take(Mapped& mapped) {
  if (std::exchange(mapped.taken, true)) return {};
  return plans_of(mapped.copy, mapped.start);
}

std::vector<Plan> MappedCopies::take_plans_at(uintptr_t address) {
  for (Mapped& m : copies_)
    if ((address >= m.start && address < m.end) || (address >= m.trampolines && address < m.trampolines_end))
      return take(m);
  return {};
}

std::vector<Plan> MappedCopies::take_all_plans() {
  std::vector<Plan> all;
  for (Mapped& m : copies_)
    for (const Plan& plan : take(m)) all.push_back(plan);
  return all;
}

}  // namespace osp::patch
