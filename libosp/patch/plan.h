#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>

#include "base/result.h"
#include "libosp/patch/boundary.h"
#include "libosp/patch/padding.h"

// How a `syscall` that trapped becomes a jump ("displace the preceding instruction"): the instruction before
// it is replaced by a jump to a trampoline, which does that instruction and enters the core. The `syscall`
// itself stays, so whoever jumps to it is caught as before. A `cpuid` likewise, with a trampoline to cpuid.h's
// routine. All of this is signal-safe, does not allocate and writes nothing: the caller applies the writes.
namespace osp::patch {

inline constexpr size_t site_size = 2;  // of the instructions syscall and cpuid

// Why a site cannot be patched. It stays right, only slow; the caller had better remember it.
enum class Refusal : uint8_t {
  not_a_site,       // there is no syscall (0f 05) or cpuid (0f a2) at the address
  unclear,          // the boundary of the instruction before it is not certain
  branch,           // that instruction is a jump, call, ret, trap or system call (so is a patched one)
  rip_relative,     // it depends on where it is
  special,          // it has a lock prefix, which is jumped over by some, or is an endbr64
  signal_restorer,  // it is mov $15: unwinders know signal frames by these bytes
  too_short,        // it has one byte
  no_padding,       // it has 2 to 4 bytes, and no dead padding is within reach
  asks_nothing,     // it is a cpuid, and that instruction writes neither eax nor ecx: perhaps these are no instructions
  branched_to,      // something may jump between the two instructions before it
  shows_flags,      // the instruction behind it reads the flags, which a patched one does not keep
};
[[nodiscard]] const char* describe(Refusal refusal);

enum class Kind : uint8_t { syscall, cpuid };

// A site that can be patched.
struct Site {
  Kind kind = Kind::syscall;
  uint64_t at = 0;         // the address of the syscall or cpuid instruction
  uint64_t displaced = 0;  // the address of the instruction before it
  uint8_t displaced_size = 0;
  std::array<uint8_t, max_instruction_length> displaced_bytes{};
  uint8_t displacement_offset = 0;  // where in these a rip-relative operand's displacement is; 0 if there is none
  Padding padding;                  // size 0 when the instruction itself has room for the long jump

  uint64_t after() const { return at + site_size; }
};

// Nothing: there is neither at `address`, or `code` does not reach it.
[[nodiscard]] std::optional<Kind> kind_at(const Code& code, uint64_t address);

// Decides whether the syscall or cpuid at `address` can be patched. `code` should reach 128 bytes before it and 144
// behind where that can be read; less makes it refuse more. The bytes must be the present ones (with the
// earlier patches), and must not change meanwhile.
[[nodiscard]] std::expected<Site, Refusal> examine(const Code& code, uint64_t address);

// The same of a cpuid that examine() refuses because there is no padding: the two instructions before it are displaced,
// which together have room for the long jump. `code` must be all that is executable of the file: no branch in it, nor
// what might be one, leads between the two. (An indirect one could; compilers put no label there.)
[[nodiscard]] std::expected<Site, Refusal> examine_wide(const Code& code, uint64_t address);

inline constexpr size_t max_trampoline_size = 32;

// Where trampolines go.
struct Ends {
  uint32_t slot = 8;           // of gs: where those of system calls find the core's entry
  uint64_t cpuid_routine = 0;  // where write_cpuid_routine() has written, for those of cpuid
};

// The bytes to put at the trampoline's address: the displaced instruction (a rip-relative one corrected, so that
// it means the same address); for a syscall lea after(%rip),%rcx; jmp *%gs:slot, and for a cpuid
// lea after(%rip),%rdx; jmp cpuid_routine. They hold no address of the core's.
struct Trampoline {
  uint64_t address = 0;
  uint8_t size = 0;
  std::array<uint8_t, max_trampoline_size> bytes{};
};
[[nodiscard]] size_t trampoline_size(const Site& site);

// Bytes to write into the program.
struct Write {
  uint64_t address = 0;
  uint8_t size = 0;
  std::array<uint8_t, 16> bytes{};
  std::array<uint8_t, 16> before{};  // what was there; the caller's to fill in
  bool one_word = false;             // all in one aligned 8-byte word: one store does it
  bool one_line = false;             // all in one 64-byte cache line

  Bytes span() const { return Bytes(bytes).first(size); }
};

// All there is to do, in this order: the trampoline, then the writes (the padding's, then the site's).
// With one worker, stopped in the core, nothing more is needed.
struct Plan {
  Site site;
  Trampoline trampoline;
  std::array<Write, 2> writes;
  uint8_t write_count = 0;

  std::span<const Write> all_writes() const { return std::span(writes).first(write_count); }
  // The same of the same code `distance` further up (modulo 2^64).
  [[nodiscard]] Plan moved(uint64_t distance) const;
};

// Makes the plan for a trampoline at `address`, trampoline_size() bytes. ERANGE if it is not within a long
// jump (2 GiB) of the site, of what the displaced instruction refers to, or of the routine.
[[nodiscard]] Result<Plan> make_plan(const Site& site, uint64_t trampoline_address, const Ends& ends = {});

// Where the program counter would be had the site not been patched: for a signal's frame, a fault, or a
// checkpoint that finds it in the padding or the trampoline. Others are returned as they are. At the
// syscall (or cpuid) again, it has not been made.
[[nodiscard]] uint64_t original_rip(const Plan& plan, uint64_t rip);

}  // namespace osp::patch
