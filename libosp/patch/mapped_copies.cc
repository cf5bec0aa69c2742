#include "libosp/patch/mapped_copies.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <ranges>
#include <utility>

#include "base/raw_syscall.h"
#include "libosp/memory/own_pages.h"
#include "libosp/patch/code_file.h"

namespace osp::patch {
namespace {

using memory::page_size;
using Page = std::array<uint8_t, page_size>;

// What `page`, whose contents are in `bytes`, was before the Plans.
void undo(uintptr_t page, Page& bytes, const std::vector<Plan>& plans) {
  for (const Plan& plan : std::views::reverse(plans))  // the last first: what it found was another's
    for (const Write& write : plan.all_writes())
      for (size_t i = 0; i < write.size; ++i)
        if (const uint64_t at = write.address + i - page; at < page_size) bytes[at] = write.before[i];
}

}  // namespace

bool MappedCopies::replace(const memory::Area& area, const KnownFile& file, const std::vector<Plan>& own) {
  if (file.last_copy() == 0 || CodeFile::fd() < 0) return false;
  const CodeCopy copy = file.copy(file.last_copy());
  const std::vector<Plan> others = plans_of(copy, area.start);
  const uint64_t code_at = (uint64_t{copy.first_page} + copy.trampoline_pages) * page_size;
  bool is_same = true;
  const auto compare = [&](uintptr_t page) {
    Page here, there;
    std::memcpy(here.data(), reinterpret_cast<const void*>(page), page_size);
    const uint64_t at = code_at + (page - area.start);
    if (raw::syscall(SYS_pread64, CodeFile::fd(), there.data(), page_size, at) != long{page_size}) return false;
    undo(page, here, own);
    undo(page, there, others);
    return here == there;
  };
  const auto looked = memory::OwnPages().each(area.start, area.end, [&](uintptr_t start, uintptr_t end) {
    for (uintptr_t page = start; page < end; page += page_size) is_same = is_same && compare(page);
  });
  return looked && is_same && map(area, file);
}

bool MappedCopies::map(const memory::Area& area, const KnownFile& file) {
  const unsigned generation = file.last_copy();
  if (generation == 0 || CodeFile::fd() < 0) return false;
  const CodeCopy copy = file.copy(generation);
  const size_t size = area.end - area.start, room = copy.trampoline_pages * memory::page_size;
  if (area.offset != copy.file_offset || size != copy.code_pages * memory::page_size) return false;
  const memory::Area* beginning = memory_.find(copy.span_of(area.start));
  const bool is_there = beginning != nullptr && beginning->backing == area.backing && beginning->offset == 0 &&
                        beginning->start == copy.span_of(area.start) && (beginning->protection & PROT_READ) != 0;
  if (!is_there || beginning_at(beginning->start) != copy.beginning) return false;
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

void MappedCopies::forget(uintptr_t start, uintptr_t end) {
  std::erase_if(copies_, [&](const Mapped& m) {
    if (end <= m.start || start >= m.end) return false;
    const bool is_all = start <= m.start && end >= m.end;
    if (is_all) static_cast<void>(memory_.unmap(m.trampolines, m.trampolines_end - m.trampolines));
    return true;
  });
}

std::vector<Plan> MappedCopies::take(Mapped& mapped) {
  if (std::exchange(mapped.taken, true)) return {};
  return plans_of(mapped.copy, mapped.start);
}

std::vector<Plan> MappedCopies::take_plans(uintptr_t start, uintptr_t end) {
  const auto overlaps = [&](uintptr_t from, uintptr_t to) { return start < to && from < end; };
  std::vector<Plan> all;
  for (Mapped& m : copies_)
    if (overlaps(m.start, m.end) || overlaps(m.trampolines, m.trampolines_end))
      std::ranges::copy(take(m), std::back_inserter(all));
  return all;
}

std::vector<Plan> MappedCopies::take_all_plans() { return take_plans(0, ~uintptr_t{0}); }

}  // namespace osp::patch
