#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace osp::load {

inline constexpr size_t max_string_size = 131072;  // MAX_ARG_STRLEN, with the NUL
inline constexpr uint64_t default_stack_limit = 8u << 20;

// What a program finds on its stack when it starts (System V ABI x86-64, 3.4.1; getauxval(3)).
struct StackInput {
  std::span<const std::string> argv;  // without one, "" is put there, as Linux does since 5.18
  std::span<const std::string> envp;
  std::string_view execfn;                     // AT_EXECFN
  uint64_t top = 0;                            // the end of the stack; page-aligned
  uint64_t stack_limit = default_stack_limit;  // RLIMIT_STACK in bytes, for E2BIG
  std::array<std::byte, 16> random{};          // AT_RANDOM: 16 fresh random bytes
  uint64_t vdso = 0;                           // AT_SYSINFO_EHDR; 0 leaves it out
  uint64_t phdr_address = 0, phdr_count = 0;   // AT_PHDR, AT_PHNUM
  uint64_t interpreter_base = 0;               // AT_BASE
  uint64_t entry = 0;                          // AT_ENTRY: the program's, not the interpreter's
  uint64_t uid = 0, euid = 0, gid = 0, egid = 0;
  uint64_t hwcap = 0;           // cpuid 1 edx
  uint64_t hwcap2 = 0;          // bit 1: FSGSBASE
  uint64_t minsigstksz = 2048;  // AT_MINSIGSTKSZ: signal frame with the vector state of this machine
};

// The image to copy to `stack_pointer`, and where its parts are (for /proc/self: cmdline, environ, auxv).
struct StackImage {
  uint64_t stack_pointer = 0;             // rsp at entry, 16-byte aligned; also the address of bytes[0]
  std::vector<std::byte> bytes;           // up to `top`
  uint64_t argv_start = 0, argv_end = 0;  // the strings, with their NULs
  uint64_t envp_start = 0, envp_end = 0;
  uint64_t auxv_start = 0, auxv_end = 0;  // with the AT_NULL
};

// Builds the stack image. E2BIG as execve(2): a string longer than 128 KiB, or strings and pointers larger
// than a quarter of the stack limit (but at least 128 KiB, at most 6 MiB); EINVAL for an unaligned top.
[[nodiscard]] Result<StackImage> build_stack(const StackInput& input);

}  // namespace osp::load
