#include "tools/osp_boot_elf.h"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <span>

#include "pip/host_walk.h"

namespace osp::tools {
namespace {

// A file's bytes, which may say anything.
class Image {
 public:
  explicit Image(std::string_view bytes) : bytes_(bytes) {}

  template <class T>
  [[nodiscard]] std::optional<T> read(uint64_t at) const {
    if (at > bytes_.size() || bytes_.size() - at < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, bytes_.data() + at, sizeof value);
    return value;
  }
  // The text at `at`, up to its NUL; empty if there is none.
  [[nodiscard]] std::string text(uint64_t at) const {
    if (at >= bytes_.size()) return {};
    const std::string_view rest = bytes_.substr(at);
    const size_t end = rest.find('\0');
    return end == std::string_view::npos ? std::string() : std::string(rest.substr(0, end));
  }

 private:
  std::string_view bytes_;
};

std::vector<Elf64_Phdr> program_headers(const Image& image, const Elf64_Ehdr& header) {
  std::vector<Elf64_Phdr> found;
  for (unsigned i = 0; i < header.e_phnum; ++i)
    if (auto one = image.read<Elf64_Phdr>(header.e_phoff + i * sizeof(Elf64_Phdr))) found.push_back(*one);
  return found;
}

// Where in the file an address of the loaded program is.
std::optional<uint64_t> offset_of(std::span<const Elf64_Phdr> headers, uint64_t address) {
  for (const Elf64_Phdr& one : headers)
    if (one.p_type == PT_LOAD && address >= one.p_vaddr && address - one.p_vaddr < one.p_filesz)
      return one.p_offset + (address - one.p_vaddr);
  return std::nullopt;
}

void read_dynamic(const Image& image, std::span<const Elf64_Phdr> headers, const Elf64_Phdr& dynamic, ElfNeeds& needs) {
  std::vector<Elf64_Dyn> entries;
  std::optional<uint64_t> strings;
  for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= dynamic.p_filesz; at += sizeof(Elf64_Dyn)) {
    const auto entry = image.read<Elf64_Dyn>(dynamic.p_offset + at);
    if (!entry || entry->d_tag == DT_NULL) break;
    if (entry->d_tag == DT_STRTAB) strings = offset_of(headers, entry->d_un.d_ptr);
    entries.push_back(*entry);
  }
  if (!strings) return;
  for (const Elf64_Dyn& entry : entries) {
    if (entry.d_tag != DT_NEEDED && entry.d_tag != DT_RPATH && entry.d_tag != DT_RUNPATH) continue;
    std::string text = image.text(*strings + entry.d_un.d_val);
    if (entry.d_tag == DT_NEEDED)
      needs.needed.push_back(std::move(text));
    else
      (entry.d_tag == DT_RPATH ? needs.rpath : needs.runpath) = std::move(text);
  }
}

ElfNeeds needs_of(const Image& image) {
  ElfNeeds needs;
  const auto header = image.read<Elf64_Ehdr>(0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
      header->e_machine != EM_X86_64 || header->e_phentsize != sizeof(Elf64_Phdr))
    return needs;
  needs.is_program = true;
  const std::vector<Elf64_Phdr> headers = program_headers(image, *header);
  for (const Elf64_Phdr& one : headers) {
    if (one.p_type == PT_INTERP) needs.interpreter = image.text(one.p_offset);
    if (one.p_type == PT_DYNAMIC) read_dynamic(image, headers, one, needs);
  }
  return needs;
}

}  // namespace

BootResult<ElfNeeds> read_elf_needs(const std::string& path) {
  const auto failed = [&] { return std::unexpected(fmt::format("{}: {}", path, strerror(errno))); };
  const pip::HostFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (fd.get() < 0 || fstat(fd.get(), &status) != 0) return failed();
  if (!S_ISREG(status.st_mode) || status.st_size == 0) return ElfNeeds{};
  const size_t size = static_cast<size_t>(status.st_size);
  void* const memory = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (memory == MAP_FAILED) return failed();
  ElfNeeds needs = needs_of(Image(std::string_view(static_cast<const char*>(memory), size)));
  munmap(memory, size);
  return needs;
}

}  // namespace osp::tools
