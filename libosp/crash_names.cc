#include "libosp/crash_names.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "base/raw_syscall.h"
#include "libosp/host/window.h"

namespace osp {
namespace {

// Bytes of the image's start that are compared: its program headers and build id. The ELF header is another where the
// image was executed itself.
constexpr size_t compared_from = sizeof(Elf64_Ehdr), compared = 4096 - compared_from;

// Takes the number at the front of `text` off it; 0: there is none.
size_t take_number(std::string_view& text) {
  size_t value = 0;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9' && value < 10000) {
    value = value * 10 + static_cast<size_t>(text.front() - '0');
    text.remove_prefix(1);
  }
  return value;
}

class Text {
 public:
  Text(char* out, size_t size) : out_(out), room_(size) {}
  void add(std::string_view part) {
    const size_t size = std::min(part.size(), room_ - used_);
    std::memcpy(out_ + used_, part.data(), size);
    used_ += size;
  }
  [[nodiscard]] bool empty() const { return used_ == 0; }
  [[nodiscard]] std::string_view view() const { return {out_, used_}; }

 private:
  char* out_;
  size_t room_, used_ = 0;
};

}  // namespace

CoreSymbols::CoreSymbols(const char* path) {
  struct stat st = {};
  const long fd = path == nullptr ? -ENOENT : raw::syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0 || raw::syscall(SYS_fstat, fd, &st) < 0 || static_cast<size_t>(st.st_size) < compared_from + compared)
    return;
  const long mapped = raw::syscall(SYS_mmap, 0, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  raw::close(static_cast<int>(fd));
  if (mapped < 0 && mapped > -4096) return;
  const auto* start = reinterpret_cast<const std::byte*>(mapped);
  if (std::memcmp(start + compared_from, reinterpret_cast<const void*>(window::image + compared_from), compared) != 0)
    return;
  file_ = start;
  size_ = static_cast<uint64_t>(st.st_size);
}

template <class T>
const T* CoreSymbols::at(uint64_t offset, uint64_t count) const {
  const bool there = offset % alignof(T) == 0 && offset <= size_ && count <= (size_ - offset) / sizeof(T);
  return there ? reinterpret_cast<const T*>(file_ + offset) : nullptr;
}

std::optional<CoreSymbols::Found> CoreSymbols::find(uint64_t address) const {
  if (file_ == nullptr) return std::nullopt;
  const auto* header = at<Elf64_Ehdr>(0);
  const auto* sections = at<Elf64_Shdr>(header->e_shoff, header->e_shnum);
  for (unsigned i = 0; sections != nullptr && i < header->e_shnum; ++i) {
    const Elf64_Shdr& table = sections[i];
    if (table.sh_type != SHT_SYMTAB || table.sh_link >= header->e_shnum) continue;
    const Elf64_Shdr& names = sections[table.sh_link];
    const uint64_t count = table.sh_size / sizeof(Elf64_Sym);
    const auto* symbols = at<Elf64_Sym>(table.sh_offset, count);
    const auto* text = at<char>(names.sh_offset, names.sh_size);
    for (uint64_t s = 0; symbols != nullptr && text != nullptr && s < count; ++s) {
      const Elf64_Sym& symbol = symbols[s];
      const uint64_t offset = address - window::image - symbol.st_value;
      const bool here = offset < symbol.st_size && ELF64_ST_TYPE(symbol.st_info) == STT_FUNC;
      if (here && symbol.st_name < names.sh_size)
        return Found{{text + symbol.st_name, strnlen(text + symbol.st_name, names.sh_size - symbol.st_name)}, offset};
    }
  }
  return std::nullopt;
}

std::string_view readable_name(std::string_view mangled, char* out, size_t size) {
  std::string_view rest = mangled;
  if (!rest.starts_with("_Z")) return mangled;
  rest.remove_prefix(2);
  const bool nested = rest.starts_with('N');
  if (nested) rest.remove_prefix(1);
  if (nested && (rest.starts_with('K') || rest.starts_with('V'))) rest.remove_prefix(1);
  Text text(out, size);
  if (rest.starts_with("St")) {
    rest.remove_prefix(2);
    text.add("std");
  }
  do {
    if (rest.starts_with('L')) rest.remove_prefix(1);
    const size_t length = take_number(rest);
    if (length == 0 || length > rest.size()) return mangled;
    const std::string_view part = rest.substr(0, length);
    rest.remove_prefix(length);
    if (part == "_GLOBAL__N_1") continue;
    if (!text.empty()) text.add("::");
    text.add(part);
  } while (nested && !rest.starts_with('E') && !rest.empty());
  return rest.starts_with('I') ? mangled : text.view();
}

}  // namespace osp
