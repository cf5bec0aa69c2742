#include "libosp/host/kernel_vdso.h"

#include <elf.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "base/raw_syscall.h"
#include "libosp/host/window.h"

namespace osp::host {
namespace {

using Bytes = std::span<const std::byte>;

Clock the_clock = nullptr;

template <class T>
const T* at(Bytes image, uint64_t offset, uint64_t count = 1) {
  if (offset > image.size() || count > (image.size() - offset) / sizeof(T)) return nullptr;
  return reinterpret_cast<const T*>(image.data() + offset);
}

Result<void> move(const Range& from, uintptr_t to) {
  const size_t size = from.end - from.start;
  return from_raw<void>(raw::syscall(SYS_mremap, from.start, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to));
}

// The code finds its data by its distance, so all keep theirs.
Result<Range> move_all(const KernelPages& pages) {
  uintptr_t lowest = pages.vdso.start, highest = pages.vdso.end;
  for (const Range& range : pages.data) lowest = std::min(lowest, range.start), highest = std::max(highest, range.end);
  constexpr size_t most = 1u << 20;
  if (highest - lowest > most) return fail(ERANGE);
  OSP_ASSIGN(const auto to,
             from_raw<uintptr_t>(window::map(highest - lowest, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
  const auto place = [&](uintptr_t address) { return to + (address - lowest); };
  if (const auto moved = move(pages.vdso, place(pages.vdso.start)); !moved) {
    window::unmap(to, highest - lowest);
    return std::unexpected(moved.error());
  }
  for (const Range& range : pages.data) OSP_TRY(move(range, place(range.start)));
  return Range{place(pages.vdso.start), place(pages.vdso.end)};
}

}  // namespace

std::vector<VdsoFunction> vdso_functions(Bytes image) {
  std::vector<VdsoFunction> all;
  const auto* header = at<Elf64_Ehdr>(image, 0);
  if (header == nullptr || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return {};
  const auto* sections = at<Elf64_Shdr>(image, header->e_shoff, header->e_shnum);
  for (size_t i = 0; sections != nullptr && i < header->e_shnum; ++i) {
    const Elf64_Shdr& table = sections[i];
    if (table.sh_type != SHT_DYNSYM || table.sh_link >= header->e_shnum) continue;
    const Elf64_Shdr& strings = sections[table.sh_link];
    const size_t count = table.sh_size / sizeof(Elf64_Sym);
    const auto* symbols = at<Elf64_Sym>(image, table.sh_offset, count);
    const char* names = at<char>(image, strings.sh_offset, strings.sh_size);
    for (size_t j = 0; symbols != nullptr && names != nullptr && j < count; ++j) {
      const Elf64_Sym& symbol = symbols[j];
      if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
      if (symbol.st_name >= strings.sh_size) continue;
      const char* name = names + symbol.st_name;
      all.push_back({{name, strnlen(name, strings.sh_size - symbol.st_name)}, symbol.st_value});
    }
  }
  return all;
}

Result<Range> keep_kernel_vdso(const KernelPages& pages) {
  if (pages.vdso.start == pages.vdso.end) return fail(ENOENT);
  OSP_ASSIGN(const Range kept, move_all(pages));
  const Bytes image(reinterpret_cast<const std::byte*>(kept.start), kept.end - kept.start);
  for (const VdsoFunction& function : vdso_functions(image))
    if (function.name == "__vdso_clock_gettime") the_clock = reinterpret_cast<Clock>(kept.start + function.offset);
  return kept;
}

Clock kernel_clock() { return the_clock; }
void set_kernel_clock(Clock clock) { the_clock = clock; }

long read_clock_by_call(clockid_t clock, timespec& now) {
  constexpr int often = 30;  // moving the vDSO costs as much
  [[gnu::section(".hot_data")]] static int calls = 0;
  if (calls <= often && ++calls > often && the_clock == nullptr) {
    const auto pages = find_kernel_pages();
    const auto kept = pages ? keep_kernel_vdso(*pages) : std::unexpected(pages.error());
    if (!kept) log::debug("time", "the kernel's vDSO cannot be used: {}", describe(kept.error()));
  }
  return raw::syscall(SYS_clock_gettime, clock, &now);
}

}  // namespace osp::host
