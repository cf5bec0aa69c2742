#include "libosp/patch/decode.h"

#include <algorithm>

namespace osp::patch {
namespace {

// What follows an opcode, one letter each:
//   .  nothing            m  ModRM              !  invalid          p  a prefix or escape
//   b  imm8               B  ModRM, imm8        j  displacement 8   J  displacement 32
//   z  imm16/32           Z  ModRM, imm16/32    v  imm16/32/64      w  imm16
//   e  imm16, imm8        o  address            t  ModRM, imm8 if reg is 0 or 1;  T the same with imm16/32
//   r  ModRM of registers only, whatever its mod says
constexpr char one_byte[257] =
    "mmmmbz!!mmmmbz!p"   // 00
    "mmmmbz!!mmmmbz!!"   // 10
    "mmmmbzp!mmmmbzp!"   // 20
    "mmmmbzp!mmmmbzp!"   // 30
    "pppppppppppppppp"   // 40
    "................"   // 50
    "!!pmppppzZbB...."   // 60
    "jjjjjjjjjjjjjjjj"   // 70
    "BZ!Bmmmmmmmmmmmm"   // 80
    "..........!....."   // 90
    "oooo....bz......"   // a0
    "bbbbbbbbvvvvvvvv"   // b0
    "BBw.ppBZe.w..b!."   // c0
    "mmmm!!!.mmmmmmmm"   // d0
    "jjjjbbbbJJ!j...."   // e0
    "p.pp..tT......mm";  // f0

constexpr char two_byte[257] =
    "mmmm!.....!.!m.B"   // 00
    "mmmmmmmmmmmmmmmm"   // 10
    "rrrr!!!!mmmmmmmm"   // 20
    "......!.p!p!!!!!"   // 30
    "mmmmmmmmmmmmmmmm"   // 40
    "mmmmmmmmmmmmmmmm"   // 50
    "mmmmmmmmmmmmmmmm"   // 60
    "BBBBmmm.mm!!mmmm"   // 70
    "JJJJJJJJJJJJJJJJ"   // 80
    "mmmmmmmmmmmmmmmm"   // 90
    "...mBmmm...mBmmm"   // a0
    "mmmmmmmmmmBmmmmm"   // b0
    "mmBmBBBm........"   // c0
    "mmmmmmmmmmmmmmmm"   // d0
    "mmmmmmmmmmmmmmmm"   // e0
    "mmmmmmmmmmmmmmmm";  // f0

constexpr uint8_t rex_w = 8;

int reg_of(uint8_t modrm) { return (modrm >> 3) & 7; }
bool is_register(uint8_t modrm) { return modrm >= 0xc0; }

// Takes one instruction apart; each step returns false when the bytes end or make no instruction.
class Decoder {
 public:
  explicit Decoder(Bytes code) : code_(code.first(std::min(code.size(), max_instruction_length))) {}

  std::optional<Instruction> run() {
    if (!prefixes() || !opcode() || !operands()) return std::nullopt;
    if (at_ > code_.size() || !valid_group()) return std::nullopt;
    out_.length = static_cast<uint8_t>(at_);
    out_.flow = flow();
    return out_;
  }

 private:
  bool peek(uint8_t& byte) const {
    if (at_ >= code_.size()) return false;
    byte = code_[at_];
    return true;
  }
  bool take(uint8_t& byte) {
    if (!peek(byte)) return false;
    ++at_;
    return true;
  }

  bool legacy_prefix(uint8_t byte) {
    switch (byte) {
      case 0x66:
        return out_.operand_size = true;
      case 0x67:
        return out_.address_size = true;
      case 0xf0:
        return out_.lock = true;
      case 0xf2:
      case 0xf3:
        out_.repeat = byte;
        return true;
      case 0x26:
      case 0x2e:
      case 0x36:
      case 0x3e:
      case 0x64:
      case 0x65:
        return true;
      default:
        return false;
    }
  }

  // A REX counts only right before the opcode.
  bool prefixes() {
    uint8_t byte = 0;
    for (; peek(byte); ++at_) {
      if (legacy_prefix(byte)) {
        out_.rex = 0;
      } else if ((byte & 0xf0) == 0x40) {
        out_.rex = byte;
      } else {
        break;
      }
    }
    out_.prefix_count = static_cast<uint8_t>(at_);
    return at_ < code_.size();
  }

  bool opcode() {
    uint8_t byte = 0;
    if (!take(byte)) return false;
    if (byte == 0xc4 || byte == 0xc5) return vex(byte);
    if (byte == 0x62) return evex();
    if (uint8_t next = 0; byte == 0x8f && peek(next) && (next & 0x1f) >= 8) return xop();
    out_.opcode = byte;
    shape_ = one_byte[byte];
    return byte != 0x0f || escaped();
  }

  bool escaped() {
    if (!take(out_.opcode)) return false;
    out_.map = 1;
    shape_ = two_byte[out_.opcode];
    if (out_.opcode == 0x38 || out_.opcode == 0x3a) {
      out_.map = out_.opcode == 0x38 ? 2 : 3;
      shape_ = out_.map == 2 ? 'm' : 'B';
      return take(out_.opcode);
    }
    return true;
  }

  bool has_forbidden_prefix() const { return out_.operand_size || out_.repeat != 0 || out_.lock || out_.rex != 0; }

  // The shapes of VEX's and EVEX's maps; map 1 has immediates where 0F has them and only there.
  bool vector_shape() {
    if (out_.map == 3) shape_ = 'B';
    if (out_.map == 1) {
      const uint8_t op = out_.opcode;
      if (op >= 0x80 && op <= 0x8f) return false;
      const bool immediate = (op >= 0x70 && op <= 0x73) || op == 0xc2 || (op >= 0xc4 && op <= 0xc6);
      shape_ = immediate ? 'B' : 'm';
      if (op == 0x77 && out_.encoding == Encoding::vex) shape_ = '.';
    }
    return true;
  }

  bool vex(uint8_t escape) {
    uint8_t first = 0, second = 0;
    if (has_forbidden_prefix() || !take(first)) return false;
    out_.encoding = Encoding::vex;
    out_.map = escape == 0xc5 ? 1 : first & 0x1f;
    if (out_.map < 1 || out_.map > 3) return false;
    if (escape == 0xc4 && !take(second)) return false;
    shape_ = 'm';
    return take(out_.opcode) && vector_shape();
  }

  bool evex() {
    uint8_t payload[3] = {};
    if (has_forbidden_prefix()) return false;
    for (uint8_t& byte : payload)
      if (!take(byte)) return false;
    out_.encoding = Encoding::evex;
    out_.map = payload[0] & 7;
    const bool known_map = (out_.map >= 1 && out_.map <= 3) || out_.map == 5 || out_.map == 6;
    if (!known_map || (payload[0] & 8) != 0 || (payload[1] & 4) == 0) return false;
    shape_ = 'm';
    return take(out_.opcode) && vector_shape();
  }

  bool xop() {
    uint8_t first = 0, second = 0;
    if (has_forbidden_prefix() || !take(first) || !take(second)) return false;
    out_.encoding = Encoding::xop;
    out_.map = first & 0x1f;
    if (out_.map > 10) return false;
    shape_ = out_.map == 8 ? 'B' : out_.map == 9 ? 'm' : 'X';
    return take(out_.opcode);
  }

  size_t immediate_z() const { return out_.operand_size && (out_.rex & rex_w) == 0 ? 2 : 4; }
  size_t immediate_v() const { return (out_.rex & rex_w) != 0 ? 8 : immediate_z(); }

  bool immediate(size_t size) {
    out_.immediate_size = static_cast<uint8_t>(size);
    at_ += size;
    return at_ <= code_.size();
  }

  bool modrm() {
    if (!take(out_.modrm)) return false;
    out_.has_modrm = true;
    if (is_register(out_.modrm)) return true;
    const int mod = out_.modrm >> 6, rm = out_.modrm & 7;
    uint8_t sib = 0;
    if (rm == 4 && !take(sib)) return false;
    out_.rip_relative = mod == 0 && rm == 5;
    const bool no_base = mod == 0 && (rm == 5 || (rm == 4 && (sib & 7) == 5));
    at_ += mod == 1 ? 1 : mod == 2 || no_base ? 4 : 0;
    return at_ <= code_.size();
  }

  // extrq and insertq of SSE4a are the only ones with two immediates of their own kind.
  size_t extra_immediate() const {
    const bool sse4a = out_.is(1, 0x78) && (out_.operand_size || out_.repeat == 0xf2);
    return sse4a ? 2 : 0;
  }

  bool operands() {
    switch (shape_) {
      case '.':
        return true;
      case 'm':
        return modrm() && immediate(extra_immediate());
      case 'r':
        out_.has_modrm = true;
        return take(out_.modrm);
      case 'B':
        return modrm() && immediate(1);
      case 'Z':
        return modrm() && immediate(immediate_z());
      case 'X':
        return modrm() && immediate(4);
      case 't':
        return modrm() && immediate(reg_of(out_.modrm) < 2 ? 1 : 0);
      case 'T':
        return modrm() && immediate(reg_of(out_.modrm) < 2 ? immediate_z() : 0);
      case 'o':
        return immediate(out_.address_size ? 4 : 8);
      default:
        return plain_immediate();
    }
  }

  bool plain_immediate() {
    switch (shape_) {
      case 'b':
      case 'j':
        return immediate(1);
      case 'w':
        return immediate(2);
      case 'e':
        return immediate(3);
      case 'J':
        return immediate(4);
      case 'z':
        return immediate(immediate_z());
      case 'v':
        return immediate(immediate_v());
      default:
        return false;
    }
  }

  // The holes in the groups of opcodes that share one byte.
  bool valid_group() const {
    if (out_.encoding != Encoding::legacy || out_.map != 0) return true;
    const int reg = reg_of(out_.modrm);
    switch (out_.opcode) {
      case 0x8f:
        return reg == 0;
      case 0x8c:
        return reg < 6;
      case 0x8d:
        return !is_register(out_.modrm);
      case 0x8e:
        return reg < 6 && reg != 1;
      case 0xc6:
      case 0xc7:
        return reg == 0 || out_.modrm == 0xf8;
      case 0xfe:
        return reg < 2;
      case 0xff:
        return reg < 7 && !((reg == 3 || reg == 5) && is_register(out_.modrm));
      default:
        return true;
    }
  }

  Flow flow() const {
    if (out_.encoding != Encoding::legacy) return Flow::next;
    if (out_.map == 0) return flow_of_one_byte();
    return out_.map == 1 ? flow_of_two_bytes() : Flow::next;
  }

  Flow flow_of_one_byte() const {
    const uint8_t op = out_.opcode;
    if ((op >= 0x70 && op <= 0x7f) || (op >= 0xe0 && op <= 0xe3)) return Flow::conditional;
    switch (op) {
      case 0xc7:
        return out_.modrm == 0xf8 ? Flow::conditional : Flow::next;
      case 0xe8:
        return Flow::call;
      case 0xe9:
      case 0xeb:
        return Flow::jump;
      case 0xc2:
      case 0xc3:
      case 0xca:
      case 0xcb:
      case 0xcf:
        return Flow::ret;
      case 0xcc:
      case 0xcd:
      case 0xf1:
        return Flow::trap;
      case 0xf4:
        return Flow::stop;
      case 0xff:
        return flow_of_group5();
      default:
        return Flow::next;
    }
  }

  Flow flow_of_group5() const {
    const int reg = reg_of(out_.modrm);
    if (reg == 2 || reg == 3) return Flow::call;
    return reg == 4 || reg == 5 ? Flow::jump : Flow::next;
  }

  Flow flow_of_two_bytes() const {
    if (out_.opcode >= 0x80 && out_.opcode <= 0x8f) return Flow::conditional;
    switch (out_.opcode) {
      case 0x05:
      case 0x34:
        return Flow::syscall;
      case 0x07:
      case 0x35:
        return Flow::ret;
      case 0x0b:
      case 0xb9:
      case 0xff:
        return Flow::stop;
      default:
        return Flow::next;
    }
  }

  Bytes code_;
  size_t at_ = 0;
  char shape_ = '!';
  Instruction out_;
};

}  // namespace

std::optional<Instruction> decode(Bytes code) { return Decoder(code).run(); }

bool is_nop(const Instruction& instruction) {
  if (instruction.lock || instruction.repeat != 0) return false;
  if (instruction.is(0, 0x90)) return (instruction.rex & 1) == 0;
  return instruction.is(1, 0x1f) && reg_of(instruction.modrm) == 0;
}

}  // namespace osp::patch
