#include "libosp/seccomp/filter.h"

#include <array>
#include <cstddef>
#include <cstring>

namespace osp::seccomp {
namespace {

constexpr uint32_t word_bits = 32;
constexpr size_t per_filter = 4;  // what each weighs beside its instructions

bool is_jump_if(uint16_t code) { return BPF_CLASS(code) == BPF_JMP && BPF_OP(code) != BPF_JA; }
bool is_return(uint16_t code) { return code == (BPF_RET | BPF_K) || code == (BPF_RET | BPF_A); }

bool is_known_operation(uint16_t code) {
  switch (code & ~BPF_X) {
    case BPF_ALU | BPF_ADD:
    case BPF_ALU | BPF_SUB:
    case BPF_ALU | BPF_MUL:
    case BPF_ALU | BPF_DIV:
    case BPF_ALU | BPF_AND:
    case BPF_ALU | BPF_OR:
    case BPF_ALU | BPF_XOR:
    case BPF_ALU | BPF_LSH:
    case BPF_ALU | BPF_RSH:
    case BPF_JMP | BPF_JEQ:
    case BPF_JMP | BPF_JGE:
    case BPF_JMP | BPF_JGT:
    case BPF_JMP | BPF_JSET:
      return true;
    default:
      return code == (BPF_ALU | BPF_NEG) || code == (BPF_JMP | BPF_JA);
  }
}

// By seccomp_check_filter() in kernel/seccomp.c: no packets, and no remainders.
bool is_known(uint16_t code) {
  switch (code) {
    case BPF_LD | BPF_W | BPF_ABS:
    case BPF_LD | BPF_W | BPF_LEN:
    case BPF_LDX | BPF_W | BPF_LEN:
    case BPF_LD | BPF_IMM:
    case BPF_LDX | BPF_IMM:
    case BPF_LD | BPF_MEM:
    case BPF_LDX | BPF_MEM:
    case BPF_ST:
    case BPF_STX:
    case BPF_MISC | BPF_TAX:
    case BPF_MISC | BPF_TXA:
    case BPF_RET | BPF_K:
    case BPF_RET | BPF_A:
      return true;
    default:
      return is_known_operation(code);
  }
}

bool touches_memory(uint16_t code) {
  return code == BPF_ST || code == BPF_STX || code == (BPF_LD | BPF_MEM) || code == (BPF_LDX | BPF_MEM);
}

// One instruction by itself; `left`: how many follow it.
bool is_sound(const sock_filter& i, size_t left) {
  if (!is_known(i.code)) return false;
  if (i.code == (BPF_LD | BPF_W | BPF_ABS)) return i.k < sizeof(seccomp_data) && i.k % sizeof(uint32_t) == 0;
  if (i.code == (BPF_ALU | BPF_DIV | BPF_K)) return i.k != 0;
  if (i.code == (BPF_ALU | BPF_LSH | BPF_K) || i.code == (BPF_ALU | BPF_RSH | BPF_K)) return i.k < word_bits;
  if (touches_memory(i.code)) return i.k < BPF_MEMWORDS;
  if (i.code == (BPF_JMP | BPF_JA)) return i.k < left;
  if (is_jump_if(i.code)) return i.jt < left && i.jf < left;
  return true;
}

// Whether each word is written on every way to where it is read: as check_load_and_stores() in net/core/filter.c.
bool reads_what_it_wrote(std::span<const sock_filter> program) {
  std::vector<uint16_t> written_at(program.size(), 0xffff);  // what all ways to there have written
  uint16_t written = 0;
  for (size_t at = 0; at < program.size(); ++at) {
    const sock_filter& i = program[at];
    const auto goes_to = [&](size_t target) { written_at[target] &= written; };
    written &= written_at[at];
    const auto bit = static_cast<uint16_t>(touches_memory(i.code) ? 1U << i.k : 0);
    if (i.code == BPF_ST || i.code == BPF_STX) written |= bit;
    if ((i.code == (BPF_LD | BPF_MEM) || i.code == (BPF_LDX | BPF_MEM)) && (written & bit) == 0) return false;
    if (i.code == (BPF_JMP | BPF_JA)) goes_to(at + 1 + i.k);
    if (is_jump_if(i.code)) goes_to(at + 1 + i.jt), goes_to(at + 1 + i.jf);
    if (BPF_CLASS(i.code) == BPF_JMP) written = 0xffff;  // what follows is reached by jumps alone
  }
  return true;
}

// A division by zero ends the program with 0, which kills.
bool operate(uint16_t operation, uint32_t& a, uint32_t by) {
  switch (operation) {
    case BPF_ADD:
      a += by;
      break;
    case BPF_SUB:
      a -= by;
      break;
    case BPF_MUL:
      a *= by;
      break;
    case BPF_DIV:
      if (by == 0) return false;
      a /= by;
      break;
    case BPF_AND:
      a &= by;
      break;
    case BPF_OR:
      a |= by;
      break;
    case BPF_XOR:
      a ^= by;
      break;
    case BPF_LSH:
      a <<= by % word_bits;
      break;
    case BPF_RSH:
      a >>= by % word_bits;
      break;
    default:  // BPF_NEG
      a = -a;
  }
  return true;
}

bool holds(uint16_t comparison, uint32_t a, uint32_t with) {
  switch (comparison) {
    case BPF_JEQ:
      return a == with;
    case BPF_JGT:
      return a > with;
    case BPF_JGE:
      return a >= with;
    default:  // BPF_JSET
      return (a & with) != 0;
  }
}

// The machine of classic BPF.
struct Machine {
  uint32_t a = 0, x = 0;
  std::array<uint32_t, BPF_MEMWORDS> memory = {};

  void load(const sock_filter& i, const seccomp_data& data) {
    uint32_t& to = BPF_CLASS(i.code) == BPF_LD ? a : x;
    switch (BPF_MODE(i.code)) {
      case BPF_ABS:
        std::memcpy(&to, reinterpret_cast<const char*>(&data) + i.k, sizeof to);
        break;
      case BPF_LEN:
        to = sizeof data;
        break;
      case BPF_MEM:
        to = memory[i.k];
        break;
      default:  // BPF_IMM
        to = i.k;
    }
  }
};

}  // namespace

Result<std::shared_ptr<const Filter>> Filter::make(std::span<const sock_filter> program,
                                                   std::shared_ptr<const Filter> older) {
  if (program.empty() || program.size() > BPF_MAXINSNS) return fail(EINVAL);
  for (size_t at = 0; at < program.size(); ++at)
    if (!is_sound(program[at], program.size() - at - 1)) return fail(EINVAL);
  if (!is_return(program.back().code) || !reads_what_it_wrote(program)) return fail(EINVAL);
  return std::shared_ptr<const Filter>(new Filter(program, std::move(older)));
}

// One after the other: a chain may be longer than a fiber's stack is deep.
Filter::~Filter() {
  for (auto next = std::move(older_); next != nullptr && next.use_count() == 1;) {
    auto rest = std::move(next->older_);
    next = std::move(rest);
  }
}

// Jumps go forward only and the last instruction returns, so it ends.
uint32_t Filter::run_alone(const seccomp_data& data) const {
  Machine m;
  for (size_t at = 0;; ++at) {
    const sock_filter& i = program_[at];
    const uint32_t operand = BPF_SRC(i.code) == BPF_X ? m.x : i.k;
    switch (BPF_CLASS(i.code)) {
      case BPF_LD:
      case BPF_LDX:
        m.load(i, data);
        break;
      case BPF_ST:
        m.memory[i.k] = m.a;
        break;
      case BPF_STX:
        m.memory[i.k] = m.x;
        break;
      case BPF_ALU:
        if (!operate(BPF_OP(i.code), m.a, operand)) return 0;
        break;
      case BPF_JMP:
        at += BPF_OP(i.code) == BPF_JA ? i.k : (holds(BPF_OP(i.code), m.a, operand) ? i.jt : i.jf);
        break;
      case BPF_RET:
        return BPF_RVAL(i.code) == BPF_A ? m.a : i.k;
      default:  // BPF_MISC
        (i.code == (BPF_MISC | BPF_TAX) ? m.x : m.a) = i.code == (BPF_MISC | BPF_TAX) ? m.a : m.x;
    }
  }
}

uint32_t Filter::run(const seccomp_data& data) const {
  const auto action = [](uint32_t result) { return static_cast<int32_t>(result & SECCOMP_RET_ACTION_FULL); };
  uint32_t result = SECCOMP_RET_ALLOW;
  for (const Filter* filter = this; filter != nullptr; filter = filter->older()) {
    const uint32_t one = filter->run_alone(data);
    if (action(one) < action(result)) result = one;
  }
  return result;
}

unsigned Filter::depth() const {
  unsigned count = 0;
  for (const Filter* filter = this; filter != nullptr; filter = filter->older()) ++count;
  return count;
}

size_t Filter::weight() const {
  size_t weight = 0;
  for (const Filter* filter = this; filter != nullptr; filter = filter->older())
    weight += filter->program_.size() + per_filter;
  return weight;
}

bool Filter::is_below(const Filter* other) const {
  for (; other != nullptr; other = other->older())
    if (other == this) return true;
  return false;
}

}  // namespace osp::seccomp
