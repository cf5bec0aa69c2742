#include "libosp/door2_vdso.h"

#include <elf.h>

#include <cstring>
#include <span>

#include "base/log.h"
#include "base/raw_syscall.h"
#include "libosp/task/exec.h"
#include "libosp/vdso/vdso.h"

namespace osp::door2 {
namespace {

using Bytes = std::vector<std::byte>;

constexpr size_t jump_size = 12, call_size = 8;

template <class T>
T* at(Bytes& image, uint64_t offset, uint64_t count = 1) {
  if (offset > image.size() || count > (image.size() - offset) / sizeof(T)) return nullptr;
  return reinterpret_cast<T*>(image.data() + offset);
}

// The dynamic symbols with their names, by the section headers, which the kernel's vDSO has.
struct Symbols {
  std::span<const Elf64_Sym> all;
  std::span<const char> names;

  [[nodiscard]] std::string_view name(const Elf64_Sym& symbol) const {
    if (symbol.st_name >= names.size()) return {};
    const auto rest = names.subspan(symbol.st_name);
    return {rest.data(), strnlen(rest.data(), rest.size())};
  }
};

Symbols symbols_of(Bytes& image) {
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
    if (symbols != nullptr && names != nullptr) return {{symbols, count}, {names, strings.sh_size}};
  }
  return {};
}

// movabs $target, %rax; jmp *%rax
void write_jump(std::byte* code, uint64_t target) {
  static constexpr unsigned char mov[] = {0x48, 0xb8}, jmp[] = {0xff, 0xe0};
  std::memcpy(code, mov, 2);
  std::memcpy(code + 2, &target, 8);
  std::memcpy(code + 10, jmp, 2);
}

// mov $nr, %eax; syscall; ret
void write_call(std::byte* code, uint32_t nr) {
  static constexpr unsigned char mov[] = {0xb8}, rest[] = {0x0f, 0x05, 0xc3};
  std::memcpy(code, mov, 1);
  std::memcpy(code + 1, &nr, 4);
  std::memcpy(code + 5, rest, 3);
}

// Functions that ours lacks become the system call of the same first arguments, or one that there is not.
void redirect(Bytes& image, uintptr_t ours) {
  constexpr uint32_t no_such_call = 0xffff;
  const Symbols symbols = symbols_of(image);
  for (const Elf64_Sym& symbol : symbols.all) {
    if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
    std::byte* code = at<std::byte>(image, symbol.st_value, std::max(jump_size, call_size));
    if (code == nullptr) continue;
    const std::string_view name = symbols.name(symbol);
    if (const auto offset = vdso::symbol_offset(name)) {
      write_jump(code, ours + *offset);
    } else {
      write_call(code, name.ends_with("getrandom") ? SYS_getrandom : no_such_call);
    }
  }
}

}  // namespace

Result<void> replace_vdso(task::Process& process, const KernelPages& pages) {
  OSP_ASSIGN(process.program.vdso, task::map_vdso(process));
  const auto [start, end] = pages.vdso;
  if (start == end) return {};
  Bytes image(end - start);
  std::memcpy(image.data(), reinterpret_cast<const void*>(start), image.size());
  redirect(image, process.program.vdso);
  const auto mapped = process.memory.map(start, image.size(), PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0, nullptr);
  if (!mapped) {
    log::warn("core", "the kernel's vDSO at {:#x} cannot be replaced: {}", start, describe(mapped.error()));
    return {};
  }
  std::memcpy(reinterpret_cast<void*>(start), image.data(), image.size());
  OSP_TRY(process.memory.protect(start, image.size(), PROT_READ | PROT_EXEC));
  for (const Range& data : pages.data) raw::syscall(SYS_munmap, data.start, data.end - data.start);
  return {};
}

}  // namespace osp::door2
