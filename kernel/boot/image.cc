#include "kernel/boot/image.h"

#include <elf.h>

#include <cerrno>

#include "kernel/library/bytes.h"
#include "libosp/host/window.h"

namespace osp::kernel {
namespace {

constexpr uint64_t room = window::boot_stack - window::image;

int protection_of(const Elf64_Phdr& segment) {
  return ((segment.p_flags & PF_R) != 0 ? PROT_READ : 0) | ((segment.p_flags & PF_W) != 0 ? PROT_WRITE : 0) |
         ((segment.p_flags & PF_X) != 0 ? PROT_EXEC : 0);
}

bool is_right(const ArchiveFile& file, const Elf64_Ehdr& h) {
  constexpr unsigned char magic[] = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB};
  return memcmp(h.e_ident, magic, sizeof magic) == 0 && h.e_machine == EM_X86_64 && h.e_type == ET_DYN &&
         h.e_phentsize == sizeof(Elf64_Phdr) && h.e_phoff <= file.size &&
         h.e_phnum * sizeof(Elf64_Phdr) <= file.size - h.e_phoff && h.e_entry < room;
}

bool is_right(const ArchiveFile& file, const Elf64_Phdr& s) {
  return s.p_memsz > 0 && s.p_filesz <= s.p_memsz && s.p_vaddr < room && s.p_memsz <= room - s.p_vaddr &&
         s.p_offset <= file.size && s.p_filesz <= file.size - s.p_offset &&
         s.p_vaddr % page_size == s.p_offset % page_size;
}

long map_segment(Map& window, const ArchiveFile& file, const Elf64_Phdr& s) {
  if (!is_right(file, s)) return -ENOEXEC;
  const uint64_t start = window::image + page_down(s.p_vaddr), end = page_up(window::image + s.p_vaddr + s.p_memsz);
  const uint64_t slack = s.p_vaddr % page_size;
  Area* area = make_area(start, end, protection_of(s));
  if (area == nullptr) return -ENOMEM;
  area->backing = Area::Backing::image;
  area->source = reinterpret_cast<uint64_t>(file.data) + s.p_offset - slack;
  area->source_size = s.p_filesz + slack;
  return window.insert(area);
}

}  // namespace

long map_image(Map& window, const ArchiveFile& file, ImageAddresses& addresses) {
  Elf64_Ehdr header;
  if (file.size < sizeof header) return -ENOEXEC;
  memcpy(&header, file.data, sizeof header);
  if (!is_right(file, header)) return -ENOEXEC;
  for (uint64_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    memcpy(&segment, file.data + header.e_phoff + i * sizeof segment, sizeof segment);
    if (segment.p_type != PT_LOAD) continue;
    if (const long result = map_segment(window, file, segment); result != 0) return result;
  }
  addresses = {window::image + header.e_phoff, header.e_phnum, window::image + header.e_entry};
  return 0;
}

}  // namespace osp::kernel
