#include "libosp/host/boot.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>

#include "base/raw_syscall.h"
#include "libosp/host/core_stack.h"
#include "libosp/host/window.h"

// Freestanding on purpose (see boot.h): no libc calls, no TLS, no exceptions.
namespace osp::host {
namespace {

constexpr uint64_t page = 4096;
constexpr size_t max_headers = 16;

struct Image {
  Elf64_Ehdr header;
  Elf64_Phdr segments[max_headers];
};

uint64_t down(uint64_t value) { return value & ~(page - 1); }
uint64_t up(uint64_t value) { return down(value + page - 1); }

int protection_of(const Elf64_Phdr& segment) {
  return ((segment.p_flags & PF_R) != 0 ? PROT_READ : 0) | ((segment.p_flags & PF_W) != 0 ? PROT_WRITE : 0) |
         ((segment.p_flags & PF_X) != 0 ? PROT_EXEC : 0);
}

long read_image(long fd, Image& image) {
  if (raw::syscall(SYS_pread64, fd, &image.header, sizeof image.header, 0) != sizeof image.header) return -ENOEXEC;
  const Elf64_Ehdr& h = image.header;
  if (h.e_ident[0] != ELFMAG0 || h.e_ident[1] != 'E' || h.e_machine != EM_X86_64 || h.e_type != ET_DYN ||
      h.e_phnum > max_headers)
    return -ENOEXEC;
  const long size = static_cast<long>(h.e_phnum * sizeof(Elf64_Phdr));
  return raw::syscall(SYS_pread64, fd, image.segments, size, h.e_phoff) == size ? 0 : -ENOEXEC;
}

long map_zero_tail(const Elf64_Phdr& s, int protection) {
  const uint64_t file_end = window::image + s.p_vaddr + s.p_filesz;
  const uint64_t end = window::image + s.p_vaddr + s.p_memsz;
  if (s.p_memsz == s.p_filesz) return 0;
  for (uint64_t at = file_end; at < up(file_end) && at < end; ++at) *reinterpret_cast<volatile char*>(at) = 0;
  if (end <= up(file_end)) return 0;
  return raw::syscall(SYS_mmap, up(file_end), up(end) - up(file_end), protection,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

long map_segment(long fd, const Elf64_Phdr& s) {
  const uint64_t start = down(window::image + s.p_vaddr);
  const uint64_t end = up(window::image + s.p_vaddr + s.p_filesz);
  const int protection = protection_of(s);
  const long mapped =
      raw::syscall(SYS_mmap, start, end - start, protection, MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd, down(s.p_offset));
  if (mapped < 0) return mapped;
  const long tail = map_zero_tail(s, protection);
  return tail < 0 ? tail : 0;
}

long map_image(const char* path, Image& image) {
  const long fd = raw::syscall(SYS_open, path, O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return fd;
  long result = read_image(fd, image);
  for (unsigned i = 0; result == 0 && i < image.header.e_phnum; ++i)
    if (image.segments[i].p_type == PT_LOAD) result = map_segment(fd, image.segments[i]);
  raw::close(static_cast<int>(fd));
  return result;
}

}  // namespace

bool core_is_here() {
  // mincore(2) answers ENOMEM for addresses that are not mapped.
  unsigned char state = 0;
  return raw::syscall(SYS_mincore, window::image, page, &state) == 0;
}

long start_core(const BootBlock& block) {
  static Image image;
  if (const long result = map_image(block.core_path, image); result < 0) return result;
  return begin_core({.headers = window::image + image.header.e_phoff,
                     .header_count = image.header.e_phnum,
                     .start = window::image + image.header.e_entry,
                     .auxv = block.auxv,
                     .type = auxv_boot_block,
                     .value = reinterpret_cast<uint64_t>(&block)});
}

}  // namespace osp::host
