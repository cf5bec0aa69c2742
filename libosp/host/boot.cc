#include "libosp/host/boot.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>

#include "base/raw_syscall.h"
#include "libosp/host/window.h"

// Freestanding on purpose (see boot.h): no libc calls, no TLS, no exceptions.
namespace osp::host {
namespace {

constexpr uint64_t page = 4096;
constexpr size_t max_headers = 16;
constexpr size_t tunables_room = 512, stack_words = 1024;

struct Image {
  Elf64_Ehdr header;
  Elf64_Phdr segments[max_headers];
};

// glibc's vector variants of mem* and str* would destroy the program's upper vector state, and rseq
// belongs to the program.
constexpr const char* tunables =
    "GLIBC_TUNABLES=glibc.pthread.rseq=0:glibc.malloc.arena_max=1:glibc.cpu.hwcaps="
    "-AVX512F,-AVX512VL,-AVX512BW,-AVX512CD,-AVX512DQ,-AVX2,-AVX,-FMA,-FMA4,-BMI2,-MOVBE,-RTM,"
    "-AVX2_Usable,-AVX_Fast_Unaligned_Load,-Prefer_No_VZEROUPPER,-XSAVEC,-XSAVE";

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

unsigned long host_value(const BootBlock& block, unsigned long type) {
  for (const unsigned long* entry = block.auxv; entry[0] != AT_NULL; entry += 2)
    if (entry[0] == type) return entry[1];
  return 0;
}

// The core's own argc, argv, envp and aux vector, as the System V ABI has them at a program's entry.
uint64_t* build_stack(const BootBlock& block, const Image& image) {
  const uint64_t top = window::boot_stack + window::boot_stack_size;
  const unsigned long passed[] = {AT_HWCAP, AT_HWCAP2, AT_CLKTCK, AT_UID,    AT_EUID,        AT_GID,
                                  AT_EGID,  AT_RANDOM, AT_PAGESZ, AT_SECURE, AT_MINSIGSTKSZ, AT_PLATFORM};
  char* variable = reinterpret_cast<char*>(top - tunables_room);  // glibc writes to it
  for (size_t i = 0; (variable[i] = tunables[i]) != '\0'; ++i) {
  }
  auto* at = reinterpret_cast<uint64_t*>(top - tunables_room - stack_words);
  uint64_t* const start = at;
  static constexpr const char* name = "osp-core";
  *at++ = 1;
  *at++ = reinterpret_cast<uint64_t>(name);
  *at++ = 0;
  *at++ = reinterpret_cast<uint64_t>(variable);
  *at++ = 0;
  const auto pair = [&at](uint64_t type, uint64_t value) { *at++ = type, *at++ = value; };
  pair(AT_PHDR, window::image + image.header.e_phoff);
  pair(AT_PHENT, sizeof(Elf64_Phdr));
  pair(AT_PHNUM, image.header.e_phnum);
  pair(AT_ENTRY, window::image + image.header.e_entry);
  for (const unsigned long type : passed) pair(type, host_value(block, type));
  pair(auxv_boot_block, reinterpret_cast<uint64_t>(&block));
  pair(AT_NULL, 0);
  return start;
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
  const long stack = raw::syscall(SYS_mmap, window::boot_stack, window::boot_stack_size, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (stack < 0) return stack;
  const uint64_t* start = build_stack(block, image);
  const uint64_t entry = window::image + image.header.e_entry;
  asm volatile(
      "mov %0, %%rsp\n\t"
      "xor %%ebp, %%ebp\n\t"
      "xor %%edx, %%edx\n\t"
      "jmp *%1"
      :
      : "r"(start), "r"(entry)
      : "memory");
  __builtin_unreachable();
}

}  // namespace osp::host
