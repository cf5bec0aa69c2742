#pragma once

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string_view>
#include <vector>

#include "libosp/patch/decode.h"

namespace osp::patch {

// A section of machine code of an ELF file.
struct Text {
  std::string_view section;
  Bytes bytes;
  uint64_t address = 0;
};

// A file mapped for reading, and its executable sections.
class ElfFile {
 public:
  explicit ElfFile(const char* path) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st {};
    if (fd < 0 || fstat(fd, &st) != 0) return;
    void* const memory = mmap(nullptr, static_cast<size_t>(st.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (memory == MAP_FAILED) return;
    file_ = {static_cast<const uint8_t*>(memory), static_cast<size_t>(st.st_size)};
    read_sections();
  }
  ~ElfFile() {
    if (!file_.empty()) munmap(const_cast<uint8_t*>(file_.data()), file_.size());
  }
  ElfFile(const ElfFile&) = delete;
  ElfFile& operator=(const ElfFile&) = delete;

  bool ok() const { return !texts_.empty(); }
  const std::vector<Text>& texts() const { return texts_; }

 private:
  void read_sections() {
    const auto* header = reinterpret_cast<const Elf64_Ehdr*>(file_.data());
    const auto* sections = reinterpret_cast<const Elf64_Shdr*>(file_.data() + header->e_shoff);
    const auto* names = reinterpret_cast<const char*>(file_.data() + sections[header->e_shstrndx].sh_offset);
    for (size_t i = 0; i < header->e_shnum; ++i) {
      const Elf64_Shdr& s = sections[i];
      if (s.sh_type == SHT_PROGBITS && (s.sh_flags & SHF_EXECINSTR) != 0)
        texts_.push_back({names + s.sh_name, file_.subspan(s.sh_offset, s.sh_size), s.sh_addr});
    }
  }

  Bytes file_;
  std::vector<Text> texts_;
};

}  // namespace osp::patch
