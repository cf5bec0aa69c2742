#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "libosp/load/refusal.h"
#include "libosp/load/source.h"

namespace osp::load {

inline constexpr uint64_t page_size = 4096;
inline constexpr uint64_t address_limit = 0x7fff'ffff'f000;  // TASK_SIZE of x86-64 with four levels

// A PT_LOAD program header that passed every check: memory_size > 0, file_size <= memory_size, the file
// part lies in the file, address and offset agree within a page, and nothing wraps.
struct Segment {
  uint64_t address = 0;  // as in the file, before the bias is added
  uint64_t memory_size = 0;
  uint64_t file_offset = 0;
  uint64_t file_size = 0;
  uint64_t align = page_size;  // a power of two, at least page_size
  int protection = 0;          // PROT_*
};

enum class Kind : unsigned char {
  fixed,    // ET_EXEC: at the addresses it names
  movable,  // ET_DYN: position independent, at any base
};

// What execve(2) needs to know of an ELF file.
struct Program {
  Kind kind = Kind::fixed;
  uint64_t entry = 0;             // before the bias
  std::vector<Segment> segments;  // ascending, disjoint, at least one
  std::string interpreter;        // PT_INTERP; empty when there is none
  uint64_t phdr_address = 0;      // of the program headers in memory, before the bias
  bool phdr_mapped = false;       // whether any segment holds them; else phdr_address is 0
  uint16_t phdr_count = 0;
  bool executable_stack = false;  // PT_GNU_STACK with PF_X
};

// True if `head` begins with the ELF magic: then parse() is the one to say what is wrong with it.
[[nodiscard]] bool is_elf(std::span<const std::byte> head);

// Reads and checks the headers of an ELF64 x86-64 program or interpreter (elf(5), System V ABI). Reads at
// most three times. Refuses with ENOEXEC and the reason; for an interpreter the caller may turn ENOEXEC into
// ELIBBAD as execve(2) does. Errors of the file's own come through with their errno. Not signal-safe.
[[nodiscard]] Outcome<Program> parse(Source& file);

}  // namespace osp::load
