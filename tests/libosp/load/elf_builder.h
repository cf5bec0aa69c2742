#pragma once

#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace osp::load {

// Makes small ELF files in memory, right ones at first, for tests to spoil.
class ElfBuilder {
 public:
  ElfBuilder() {
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_DYN;
    header.e_machine = EM_X86_64;
    header.e_version = EV_CURRENT;
    header.e_entry = 0x1010;
    header.e_phoff = sizeof(Elf64_Ehdr);
    header.e_phentsize = sizeof(Elf64_Phdr);
  }

  Elf64_Phdr& load(uint64_t address, uint64_t offset, uint64_t file_size, uint64_t memory_size, uint32_t flags) {
    return add({.p_type = PT_LOAD,
                .p_flags = flags,
                .p_offset = offset,
                .p_vaddr = address,
                .p_paddr = address,
                .p_filesz = file_size,
                .p_memsz = memory_size,
                .p_align = 0x1000});
  }

  Elf64_Phdr& interpreter(uint64_t offset, std::string_view path) {
    if (file.size() < offset + path.size() + 1) file.resize(offset + path.size() + 1);
    std::memcpy(file.data() + offset, path.data(), path.size());
    return add({.p_type = PT_INTERP,
                .p_flags = PF_R,
                .p_offset = offset,
                .p_vaddr = offset,
                .p_paddr = offset,
                .p_filesz = path.size() + 1,
                .p_memsz = path.size() + 1,
                .p_align = 1});
  }

  Elf64_Phdr& add(Elf64_Phdr phdr) {
    headers.push_back(phdr);
    return headers.back();
  }

  // The file's bytes, `size` of them (zero-filled).
  std::vector<std::byte> build(size_t size = 0x3000) {
    header.e_phnum = static_cast<uint16_t>(headers.size());
    return build_as_is(size);
  }
  std::vector<std::byte> build_as_is(size_t size = 0x3000) {
    std::vector<std::byte> bytes = file;
    bytes.resize(std::max(size, sizeof header + headers.size() * sizeof(Elf64_Phdr)));
    std::memcpy(bytes.data(), &header, sizeof header);
    std::memcpy(bytes.data() + sizeof header, headers.data(), headers.size() * sizeof(Elf64_Phdr));
    bytes.resize(size);
    return bytes;
  }

  Elf64_Ehdr header{};
  std::vector<Elf64_Phdr> headers;
  std::vector<std::byte> file;
};

// A usual program: text, and data with a bss.
inline ElfBuilder usual_program() {
  ElfBuilder elf;
  elf.load(0, 0, 0x1800, 0x1800, PF_R | PF_X);
  elf.load(0x3800, 0x1800, 0x100, 0x2000, PF_R | PF_W);
  return elf;
}

}  // namespace osp::load
