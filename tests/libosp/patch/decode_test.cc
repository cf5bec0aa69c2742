#include "libosp/patch/decode.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <random>
#include <vector>

namespace osp::patch {
namespace {

struct Case {
  const char* name;
  std::vector<uint8_t> bytes;
  Flow flow = Flow::next;
  bool rip_relative = false;
};

const Case cases[] = {
    {"mov $imm32,%eax", {0xb8, 0x27, 0, 0, 0}},
    {"mov $imm16,%ax", {0x66, 0xb8, 0x27, 0}},
    {"movabs $imm64,%rax", {0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8}},
    {"mov $imm32,%rax", {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0}},
    {"data16 rex.w add $imm32,%rax", {0x66, 0x48, 0x05, 1, 2, 3, 4}},
    {"a REX before a prefix is void", {0x48, 0x66, 0x05, 1, 2}},
    {"xor %eax,%eax", {0x31, 0xc0}},
    {"syscall", {0x0f, 0x05}, Flow::syscall},
    {"mov moffs64,%al", {0xa0, 1, 2, 3, 4, 5, 6, 7, 8}},
    {"mov moffs32,%al", {0x67, 0xa0, 1, 2, 3, 4}},
    {"enter", {0xc8, 1, 2, 3}},
    {"test $imm8,%al by group 3", {0xf6, 0xc0, 1}},
    {"not %al by group 3", {0xf6, 0xd0}},
    {"test $imm16 by group 3", {0x66, 0xf7, 0xc0, 1, 2}},
    {"lea disp32(%rip),%rcx", {0x48, 0x8d, 0x0d, 1, 2, 3, 4}, Flow::next, true},
    {"lea disp32(,%rax),%rcx", {0x48, 0x8d, 0x0c, 0x05, 1, 2, 3, 4}},
    {"mov 8(%rsp),%rax", {0x48, 0x8b, 0x44, 0x24, 8}},
    {"mov disp32(%rbx),%eax", {0x8b, 0x83, 1, 2, 3, 4}},
    {"call", {0xe8, 1, 2, 3, 4}, Flow::call},
    {"call *(%rip)", {0xff, 0x15, 1, 2, 3, 4}, Flow::call, true},
    {"jmp *%gs:8", {0x65, 0xff, 0x24, 0x25, 8, 0, 0, 0}, Flow::jump},
    {"jmp rel8", {0xeb, 0xfe}, Flow::jump},
    {"jne rel32", {0x0f, 0x85, 1, 2, 3, 4}, Flow::conditional},
    {"jrcxz", {0xe3, 0}, Flow::conditional},
    {"xbegin", {0xc7, 0xf8, 0, 0, 0, 0}, Flow::conditional},
    {"ret", {0xc3}, Flow::ret},
    {"rep ret", {0xf3, 0xc3}, Flow::ret},
    {"ud2", {0x0f, 0x0b}, Flow::stop},
    {"hlt", {0xf4}, Flow::stop},
    {"int3", {0xcc}, Flow::trap},
    {"endbr64", {0xf3, 0x0f, 0x1e, 0xfa}},
    {"vzeroupper", {0xc5, 0xf8, 0x77}},
    {"vpshufd", {0xc5, 0xf9, 0x70, 0xc0, 1}},
    {"vpermq", {0xc4, 0xe3, 0xfd, 0x00, 0xc0, 1}},
    {"vmovdqu64 (%rip),%zmm0", {0x62, 0xf1, 0xfe, 0x48, 0x6f, 0x05, 1, 2, 3, 4}, Flow::next, true},
    {"vpternlogd", {0x62, 0xf3, 0x7d, 0x48, 0x25, 0xc0, 0xff}},
    {"XOP vprotb imm8", {0x8f, 0xe8, 0x78, 0xc0, 0xc0, 1}},
    {"XOP bextr imm32", {0x8f, 0xea, 0x78, 0x10, 0xc0, 1, 2, 3, 4}},
    {"pop %rax, long form", {0x8f, 0xc0}},
    {"extrq", {0x66, 0x0f, 0x78, 0xc0, 1, 2}},
    {"3DNow!", {0x0f, 0x0f, 0xc1, 0x9e}},
    {"mov %cr0,%rax ignores mod", {0x0f, 0x20, 0x00}},
    {"crc32", {0xf2, 0x48, 0x0f, 0x38, 0xf1, 0xc1}},
    {"palignr", {0x66, 0x0f, 0x3a, 0x0f, 0xc1, 4}},
};

TEST(Decode, KnowsLengthFlowAndRipRelativeOperands) {
  for (const Case& c : cases) {
    auto longer = c.bytes;
    longer.resize(32, 0xcc);
    const auto instruction = decode(longer);
    ASSERT_TRUE(instruction) << c.name;
    EXPECT_EQ(instruction->length, c.bytes.size()) << c.name;
    EXPECT_EQ(instruction->flow, c.flow) << c.name;
    EXPECT_EQ(instruction->rip_relative, c.rip_relative) << c.name;
  }
}

TEST(Decode, RefusesEveryPrefixOfAnInstruction) {
  for (const Case& c : cases)
    for (size_t size = 0; size < c.bytes.size(); ++size) EXPECT_FALSE(decode(Bytes(c.bytes).first(size))) << c.name;
}

TEST(Decode, RefusesWhatIsInvalid) {
  const std::vector<uint8_t> invalid[] = {
      {0x06},
      {0x60},
      {0x9a},
      {0xce},
      {0xd4, 1},
      {0x0f, 0x04},
      {0x0f, 0x24, 0xc0},
      {0xff, 0xff},
      {0xfe, 0xd0},
      {0x66, 0xc5, 0xf8, 0x77},              // VEX after an operand size prefix
      {0x8d, 0xc0},                          // lea of a register
      {0x62, 0xf1, 0xfa, 0x48, 0x6f, 0xc0},  // EVEX with its fixed bit clear
  };
  for (auto bytes : invalid) {
    bytes.resize(16, 0);
    EXPECT_FALSE(decode(bytes)) << int{bytes[0]} << ' ' << int{bytes[1]};
  }
  std::vector<uint8_t> too_long(15, 0x66);
  too_long.push_back(0x90);
  EXPECT_FALSE(decode(too_long));
  EXPECT_TRUE(decode(Bytes(too_long).subspan(1)));
}

TEST(Decode, KnowsPadding) {
  const std::vector<uint8_t> nops[] = {{0x90},
                                       {0x66, 0x90},
                                       {0x0f, 0x1f, 0x00},
                                       {0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0},
                                       {0x0f, 0x1f, 0x44, 0, 0}};
  for (const auto& bytes : nops) EXPECT_TRUE(is_nop(*decode(bytes)));
  const std::vector<uint8_t> others[] = {{0xf3, 0x90}, {0x41, 0x90}, {0x31, 0xc0}, {0xcc}, {0xf3, 0x0f, 0x1e, 0xfa}};
  for (const auto& bytes : others) EXPECT_FALSE(is_nop(*decode(bytes)));
}

// The span ends at a page that cannot be read.
TEST(Decode, NeverReadsBeyondItsSpan) {
  constexpr size_t page = 4096;
  auto* const memory =
      static_cast<uint8_t*>(mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_EQ(mprotect(memory + page, page, PROT_NONE), 0);
  std::mt19937_64 random(7);
  for (int round = 0; round < 200'000; ++round) {
    const size_t size = random() % 17;
    uint8_t* const start = memory + page - size;
    for (size_t i = 0; i < size; ++i) start[i] = static_cast<uint8_t>(random());
    if (const auto instruction = decode({start, size})) {
      ASSERT_GT(instruction->length, 0);
      ASSERT_LE(instruction->length, std::min(size, max_instruction_length));
      ASSERT_LT(instruction->immediate_size + instruction->prefix_count, instruction->length);
    }
  }
  munmap(memory, 2 * page);
}

}  // namespace
}  // namespace osp::patch
