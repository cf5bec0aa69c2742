#include "libosp/host/core_stack.h"

#include <elf.h>
#include <stddef.h>
#include <sys/mman.h>

#include "base/raw_syscall.h"
#include "libosp/host/window.h"

// Freestanding, as boot.cc.
namespace osp::host {
namespace {

constexpr size_t tunables_room = 512, stack_room = 1024;

// glibc's vector variants of mem* and str* would destroy the program's upper vector state, and rseq
// belongs to the program.
constexpr const char* tunables =
    "GLIBC_TUNABLES=glibc.pthread.rseq=0:glibc.malloc.arena_max=1:glibc.cpu.hwcaps="
    "-AVX512F,-AVX512VL,-AVX512BW,-AVX512CD,-AVX512DQ,-AVX2,-AVX,-FMA,-FMA4,-BMI2,-MOVBE,-RTM,"
    "-AVX2_Usable,-AVX_Fast_Unaligned_Load,-Prefer_No_VZEROUPPER,-XSAVEC,-XSAVE";

unsigned long host_value(const unsigned long* auxv, unsigned long type) {
  for (const unsigned long* entry = auxv; entry[0] != AT_NULL; entry += 2)
    if (entry[0] == type) return entry[1];
  return 0;
}

// The core's own argc, argv, envp and aux vector, as the System V ABI has them at a program's entry.
uint64_t* build_stack(const CoreEntry& entry) {
  const uint64_t top = window::boot_stack + window::boot_stack_size;
  const unsigned long passed[] = {AT_HWCAP,  AT_HWCAP2, AT_CLKTCK, AT_UID,         AT_EUID,     AT_GID,   AT_EGID,
                                  AT_RANDOM, AT_PAGESZ, AT_SECURE, AT_MINSIGSTKSZ, AT_PLATFORM, AT_EXECFN};
  char* variable = reinterpret_cast<char*>(top - tunables_room);  // glibc writes to it
  for (size_t i = 0; (variable[i] = tunables[i]) != '\0'; ++i) {
  }
  auto* at = reinterpret_cast<uint64_t*>(top - tunables_room - stack_room);
  uint64_t* const start = at;
  static constexpr const char* name = "osp-core";
  *at++ = 1;
  *at++ = reinterpret_cast<uint64_t>(name);
  *at++ = 0;
  *at++ = reinterpret_cast<uint64_t>(variable);
  *at++ = 0;
  const auto pair = [&at](uint64_t type, uint64_t value) { *at++ = type, *at++ = value; };
  pair(AT_PHDR, entry.headers);
  pair(AT_PHENT, sizeof(Elf64_Phdr));
  pair(AT_PHNUM, entry.header_count);
  pair(AT_ENTRY, entry.start);
  for (const unsigned long type : passed) pair(type, host_value(entry.auxv, type));
  pair(entry.type, entry.value);
  pair(AT_NULL, 0);
  return start;
}

}  // namespace

long begin_core(const CoreEntry& entry) {
  const long stack = raw::syscall(SYS_mmap, window::boot_stack, window::boot_stack_size, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (stack < 0) return stack;
  const uint64_t* at = build_stack(entry);
  asm volatile(
      "mov %0, %%rsp\n\t"
      "xor %%ebp, %%ebp\n\t"
      "xor %%edx, %%edx\n\t"
      "jmp *%1"
      :
      : "r"(at), "r"(entry.start)
      : "rdx", "memory");
  __builtin_unreachable();
}

}  // namespace osp::host
