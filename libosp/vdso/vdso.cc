#include "libosp/vdso/vdso.h"

#include <elf.h>

#include <cstring>

extern "C" {
extern const std::byte osp_vdso_begin[];  // embed.S
extern const std::byte osp_vdso_end[];
}

namespace osp::vdso {
namespace {

constexpr size_t page_size = 4096;

// The image is our own build's, with its segment's addresses equal to its offsets: nothing to distrust.
template <class T>
const T* at(uint64_t offset) {
  return reinterpret_cast<const T*>(osp_vdso_begin + offset);
}

const Elf64_Dyn* dynamic_section() {
  const auto* header = at<Elf64_Ehdr>(0);
  const auto* headers = at<Elf64_Phdr>(header->e_phoff);
  for (size_t i = 0; i < header->e_phnum; ++i)
    if (headers[i].p_type == PT_DYNAMIC) return at<Elf64_Dyn>(headers[i].p_offset);
  return nullptr;
}

struct Tables {
  const Elf64_Sym* symbols = nullptr;
  const char* strings = nullptr;
  size_t symbol_count = 0;
};

Tables tables() {
  Tables result;
  for (const Elf64_Dyn* entry = dynamic_section(); entry != nullptr && entry->d_tag != DT_NULL; ++entry) {
    if (entry->d_tag == DT_SYMTAB) result.symbols = at<Elf64_Sym>(entry->d_un.d_ptr);
    if (entry->d_tag == DT_STRTAB) result.strings = at<char>(entry->d_un.d_ptr);
    if (entry->d_tag == DT_HASH) result.symbol_count = at<Elf64_Word>(entry->d_un.d_ptr)[1];  // nchain
  }
  return result;
}

}  // namespace

std::span<const std::byte> image() { return {osp_vdso_begin, osp_vdso_end}; }

size_t mapped_size() { return (image().size() + page_size - 1) & ~(page_size - 1); }

Result<uint64_t> symbol_offset(std::string_view name) {
  const Tables table = tables();
  for (size_t i = 1; i < table.symbol_count; ++i)
    if (ELF64_ST_TYPE(table.symbols[i].st_info) == STT_FUNC && name == table.strings + table.symbols[i].st_name)
      return uint64_t{table.symbols[i].st_value};
  return fail(ENOENT);
}

uint64_t sigreturn_offset() { return symbol_offset("__vdso_rt_sigreturn").value_or(0); }

}  // namespace osp::vdso
