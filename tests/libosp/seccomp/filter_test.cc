#include "libosp/seccomp/filter.h"

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <sys/syscall.h>

#include <cstddef>
#include <random>

namespace osp::seccomp {
namespace {

using Program = std::vector<sock_filter>;

sock_filter make(uint16_t code, uint32_t k = 0, uint8_t jt = 0, uint8_t jf = 0) { return {code, jt, jf, k}; }

constexpr uint16_t load = BPF_LD | BPF_W | BPF_ABS, equal = BPF_JMP | BPF_JEQ | BPF_K, jump = BPF_JMP | BPF_JA;
constexpr uint16_t give = BPF_RET | BPF_K, give_a = BPF_RET | BPF_A;
constexpr uint16_t load_memory = BPF_LD | BPF_MEM, set = BPF_LD | BPF_IMM, set_x = BPF_LDX | BPF_IMM;

bool is_taken(const Program& program) { return Filter::make(program, nullptr).has_value(); }

uint32_t result_of(const Program& program, const seccomp_data& data = {}) {
  const auto filter = Filter::make(program, nullptr);
  return filter ? (*filter)->run_alone(data) : 0xdead;
}

seccomp_data call_of(int nr) { return {nr, AUDIT_ARCH_X86_64, 0x1234, {1, 0xffff'ffff'0000'0002, 3, 4, 5, 6}}; }

// One call has another answer.
Program answer(int nr, uint32_t that, uint32_t others = SECCOMP_RET_ALLOW) {
  return {make(load, offsetof(seccomp_data, nr)), make(equal, static_cast<uint32_t>(nr), 0, 1), make(give, that),
          make(give, others)};
}

TEST(Filter, ReadsTheCall) {
  const seccomp_data data = call_of(SYS_openat);
  const auto word = [&](uint32_t at) { return result_of({make(load, at), make(give_a)}, data); };
  EXPECT_EQ(word(0), static_cast<uint32_t>(SYS_openat));
  EXPECT_EQ(word(4), AUDIT_ARCH_X86_64);
  EXPECT_EQ(word(8), 0x1234U);
  EXPECT_EQ(word(24), 2U);
  EXPECT_EQ(word(28), 0xffff'ffffU);
  EXPECT_EQ(word(sizeof data - 4), 0U);
}

TEST(Filter, IsRefusedWhereItReadsBesideTheCall) {
  EXPECT_FALSE(is_taken({make(load, sizeof(seccomp_data)), make(give_a)}));
  EXPECT_FALSE(is_taken({make(load, 2), make(give_a)}));
  EXPECT_FALSE(is_taken({make(load, 0xffff'fffc), make(give_a)}));
  EXPECT_FALSE(is_taken({make(BPF_LD | BPF_H | BPF_ABS, 0), make(give_a)}));
  EXPECT_FALSE(is_taken({make(BPF_LD | BPF_B | BPF_ABS, 0), make(give_a)}));
  EXPECT_FALSE(is_taken({make(BPF_LD | BPF_W | BPF_IND, 0), make(give_a)}));
  EXPECT_FALSE(is_taken({make(BPF_LDX | BPF_B | BPF_MSH, 0), make(give_a)}));
}

TEST(Filter, IsRefusedWhereItDoesNotEnd) {
  EXPECT_FALSE(is_taken({}));
  EXPECT_FALSE(is_taken({make(set, 1)}));
  EXPECT_FALSE(is_taken({make(give), make(set, 1)}));
  EXPECT_FALSE(is_taken(Program(BPF_MAXINSNS + 1, make(give))));
  EXPECT_TRUE(is_taken(Program(BPF_MAXINSNS, make(give))));
}

TEST(Filter, IsRefusedWhereItJumpsOutOfItself) {
  EXPECT_FALSE(is_taken({make(jump, 1), make(give)}));
  EXPECT_FALSE(is_taken({make(jump, 0xffff'ffff), make(give)}));
  EXPECT_FALSE(is_taken({make(equal, 0, 1, 0), make(give)}));
  EXPECT_FALSE(is_taken({make(equal, 0, 0, 1), make(give)}));
  EXPECT_FALSE(is_taken({make(equal, 0, 255, 255), make(give)}));
  EXPECT_TRUE(is_taken({make(equal, 0, 1, 0), make(give), make(give)}));
  EXPECT_TRUE(is_taken({make(jump, 0), make(give)}));
}

TEST(Filter, IsRefusedWhereItReadsWhatItMayNotHaveWritten) {
  EXPECT_FALSE(is_taken({make(load_memory, 0), make(give_a)}));
  EXPECT_FALSE(is_taken({make(BPF_ST, 16), make(give)}));
  EXPECT_FALSE(is_taken({make(BPF_ST, 0), make(load_memory, 1), make(give_a)}));
  EXPECT_FALSE(is_taken({make(equal, 0, 1, 0), make(BPF_ST, 3), make(load_memory, 3), make(give_a)}));
  EXPECT_TRUE(is_taken({make(equal, 0, 1, 0), make(BPF_ST, 3), make(BPF_ST, 3), make(load_memory, 3), make(give_a)}));
  EXPECT_FALSE(is_taken({make(BPF_LDX | BPF_MEM, 0), make(give)}));
}

TEST(Filter, IsRefusedWithOtherInstructions) {
  EXPECT_FALSE(is_taken({make(BPF_ALU | BPF_DIV | BPF_K, 0), make(give)}));
  EXPECT_FALSE(is_taken({make(BPF_ALU | BPF_MOD | BPF_K, 3), make(give)}));
  EXPECT_FALSE(is_taken({make(BPF_ALU | BPF_LSH | BPF_K, 32), make(give)}));
  EXPECT_FALSE(is_taken({make(BPF_ALU | BPF_NEG | BPF_X, 0), make(give)}));
  EXPECT_FALSE(is_taken({make(BPF_JMP | BPF_JA | BPF_X, 0), make(give)}));
  EXPECT_FALSE(is_taken({make(0x100 | BPF_RET, 0)}));
  EXPECT_FALSE(is_taken({make(BPF_RET | BPF_X, 0)}));
  EXPECT_FALSE(is_taken({make(0xffff, 0), make(give)}));
}

TEST(Filter, Calculates) {
  const auto value = [](uint32_t a, uint16_t operation, uint32_t by) {
    const uint32_t by_k = result_of({make(set, a), make(BPF_ALU | BPF_K | operation, by), make(give_a)});
    EXPECT_EQ(by_k, result_of({make(set, a), make(set_x, by), make(BPF_ALU | BPF_X | operation), make(give_a)}));
    return by_k;
  };
  EXPECT_EQ(value(7, BPF_ADD, 0xffff'ffff), 6U);
  EXPECT_EQ(value(7, BPF_SUB, 8), 0xffff'ffffU);
  EXPECT_EQ(value(0x10000, BPF_MUL, 0x10001), 0x10000U);
  EXPECT_EQ(value(7, BPF_DIV, 2), 3U);
  EXPECT_EQ(value(0xf0, BPF_AND, 0x3c), 0x30U);
  EXPECT_EQ(value(0xf0, BPF_OR, 0x0f), 0xffU);
  EXPECT_EQ(value(0xf0, BPF_XOR, 0xff), 0x0fU);
  EXPECT_EQ(value(3, BPF_LSH, 31), 0x8000'0000U);
  EXPECT_EQ(value(0x8000'0000, BPF_RSH, 31), 1U);
  EXPECT_EQ(result_of({make(set, 5), make(BPF_ALU | BPF_NEG), make(give_a)}), 0xffff'fffbU);
  EXPECT_EQ(result_of({make(BPF_LD | BPF_W | BPF_LEN), make(give_a)}), sizeof(seccomp_data));
  EXPECT_EQ(result_of({make(set, 9), make(BPF_MISC | BPF_TAX), make(set, 0), make(BPF_MISC | BPF_TXA), make(give_a)}),
            9U);
  EXPECT_EQ(result_of({make(set_x, 4), make(BPF_STX, 15), make(load_memory, 15), make(give_a)}), 4U);
}

TEST(Filter, EndsWithZeroWhereItDividesByZero) {
  EXPECT_EQ(result_of({make(set, 5), make(BPF_ALU | BPF_DIV | BPF_X), make(give, SECCOMP_RET_ALLOW)}), 0U);
}

TEST(Filter, Compares) {
  const auto holds = [](uint32_t a, uint16_t comparison, uint32_t with) {
    const auto code = static_cast<uint16_t>(BPF_JMP | BPF_K | comparison);
    return result_of({make(set, a), make(code, with, 0, 1), make(give, 1), make(give, 0)}) == 1;
  };
  EXPECT_TRUE(holds(3, BPF_JEQ, 3));
  EXPECT_FALSE(holds(3, BPF_JGT, 3));
  EXPECT_TRUE(holds(0xffff'ffff, BPF_JGT, 3));
  EXPECT_TRUE(holds(3, BPF_JGE, 3));
  EXPECT_TRUE(holds(6, BPF_JSET, 2));
  EXPECT_FALSE(holds(6, BPF_JSET, 1));
}

TEST(Filter, OfAChainTheHardestCountsAndOfEqualsTheNewest) {
  auto first = Filter::make(answer(SYS_getpid, SECCOMP_RET_ERRNO | 1), nullptr);
  ASSERT_TRUE(first);
  auto second = Filter::make(answer(SYS_getpid, SECCOMP_RET_ERRNO | 2), *first);
  ASSERT_TRUE(second);
  auto third = Filter::make(answer(SYS_gettid, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_LOG), *second);
  ASSERT_TRUE(third);
  EXPECT_EQ((*second)->run(call_of(SYS_getpid)), SECCOMP_RET_ERRNO | 2U);
  EXPECT_EQ((*third)->run(call_of(SYS_getpid)), SECCOMP_RET_ERRNO | 2U);
  EXPECT_EQ((*third)->run(call_of(SYS_gettid)), SECCOMP_RET_KILL_PROCESS);
  EXPECT_EQ((*third)->run(call_of(SYS_read)), SECCOMP_RET_LOG);
  EXPECT_EQ((*third)->depth(), 3U);
  EXPECT_EQ((*third)->weight(), 3U * (4 + 4));
  EXPECT_TRUE((*first)->is_below(third->get()));
  EXPECT_FALSE((*third)->is_below(first->get()));
}

TEST(Filter, ALongChainIsTakenDown) {
  std::shared_ptr<const Filter> chain;
  for (int i = 0; i < 100'000; ++i) {
    auto next = Filter::make(Program{make(give, SECCOMP_RET_ALLOW)}, std::move(chain));
    ASSERT_TRUE(next);
    chain = *next;
  }
  EXPECT_EQ(chain->depth(), 100'000U);
}

// Whatever is taken runs to an end without reading or writing beside what it has (under the sanitizers, too).
TEST(Filter, WhateverIsTakenEnds) {
  constexpr uint16_t some[] = {load,
                               equal,
                               jump,
                               give,
                               give_a,
                               load_memory,
                               set,
                               set_x,
                               BPF_ST,
                               BPF_STX,
                               BPF_ALU | BPF_DIV | BPF_X,
                               BPF_ALU | BPF_LSH | BPF_X,
                               BPF_MISC | BPF_TAX};
  std::mt19937 random(4);
  int taken = 0;
  for (int i = 0; i < 200'000; ++i) {
    Program program(1 + random() % 12);
    for (sock_filter& one : program)
      one = make(random() % 8 == 0 ? static_cast<uint16_t>(random()) : some[random() % std::size(some)],
                 static_cast<uint32_t>(random() % 20), static_cast<uint8_t>(random() % 6),
                 static_cast<uint8_t>(random() % 6));
    if (random() % 2 == 0) program.back() = make(give, SECCOMP_RET_ALLOW);
    const auto filter = Filter::make(program, nullptr);
    if (!filter) continue;
    ++taken;
    (void)(*filter)->run(call_of(static_cast<int>(random())));
  }
  EXPECT_GT(taken, 1000);
}

}  // namespace
}  // namespace osp::seccomp
