#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace osp::patch {

using Bytes = std::span<const uint8_t>;

inline constexpr size_t max_instruction_length = 15;

// Where control goes after an instruction.
enum class Flow : uint8_t {
  next,         // to the next instruction only
  conditional,  // to a target or the next (jcc, loop, jrcxz, xbegin)
  jump,         // to a target only
  call,
  ret,      // ret, iret, sysret, sysexit: elsewhere, not to the next
  syscall,  // syscall, sysenter
  trap,     // int3, int1, int n
  stop,     // ud0, ud1, ud2, hlt: does not go on in a program
};

// The opcode maps; those of VEX, EVEX and XOP keep the number that they encode.
enum class Encoding : uint8_t { legacy, vex, evex, xop };

struct Instruction {
  uint8_t length = 0;
  Encoding encoding = Encoding::legacy;
  uint8_t map = 0;  // legacy: 0 one byte, 1 0F, 2 0F38, 3 0F3A
  uint8_t opcode = 0;
  uint8_t modrm = 0;
  uint8_t rex = 0;  // 0 when there is none
  bool has_modrm = false;
  bool operand_size = false;  // prefix 66
  bool address_size = false;  // prefix 67
  bool lock = false;
  uint8_t repeat = 0;          // f2, f3 or 0
  uint8_t prefix_count = 0;    // legacy prefixes and REX
  uint8_t immediate_size = 0;  // bytes at the end that are an immediate or a branch's displacement
  bool rip_relative = false;   // has a memory operand relative to rip (branches by displacement: see flow)
  Flow flow = Flow::next;

  bool is(uint8_t in_map, uint8_t with_opcode) const {
    return encoding == Encoding::legacy && map == in_map && opcode == with_opcode;
  }
};

// Decodes the instruction at the beginning of `code`, in 64-bit mode as Intel's processors do (Intel SDM
// volume 2, chapter 2 and appendix A; AMD APM volume 3 for XOP and 3DNow!). Nothing if it is invalid or goes
// beyond the span; never reads beyond it. All valid instructions are known with their length; some
// encodings that are reserved pass as well. Signal-safe; does not allocate.
[[nodiscard]] std::optional<Instruction> decode(Bytes code);

// True for the instructions that do nothing and serve as padding: nop, xchg %ax,%ax, 0F 1F /0.
[[nodiscard]] bool is_nop(const Instruction& instruction);

}  // namespace osp::patch
