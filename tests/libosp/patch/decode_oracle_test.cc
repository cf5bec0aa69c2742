// Our decoder against Zydis, over the code of the machine's own programs.
#include <Zydis/Zydis.h>
#include <gtest/gtest.h>

#include <iostream>
#include <random>
#include <string>

#include "tests/libosp/patch/elf_text.h"
#include "tests/libosp/patch/programs.h"

namespace osp::patch {
namespace {

struct Known {
  size_t length = 0;
  Flow flow = Flow::next;
  bool rip_relative = false;
};

Flow flow_of(const ZydisDecodedInstruction& instruction) {
  switch (instruction.mnemonic) {
    case ZYDIS_MNEMONIC_HLT:
    case ZYDIS_MNEMONIC_UD0:
    case ZYDIS_MNEMONIC_UD1:
    case ZYDIS_MNEMONIC_UD2:
      return Flow::stop;
    case ZYDIS_MNEMONIC_SYSCALL:
    case ZYDIS_MNEMONIC_SYSENTER:
      return Flow::syscall;
    case ZYDIS_MNEMONIC_XBEGIN:
      return Flow::conditional;
    case ZYDIS_MNEMONIC_IRET:
    case ZYDIS_MNEMONIC_IRETD:
    case ZYDIS_MNEMONIC_IRETQ:
    case ZYDIS_MNEMONIC_SYSRET:
    case ZYDIS_MNEMONIC_SYSEXIT:
      return Flow::ret;
    case ZYDIS_MNEMONIC_XABORT:
    case ZYDIS_MNEMONIC_XEND:
      return Flow::next;
    default:
      break;
  }
  switch (instruction.meta.category) {
    case ZYDIS_CATEGORY_CALL:
      return Flow::call;
    case ZYDIS_CATEGORY_RET:
      return Flow::ret;
    case ZYDIS_CATEGORY_UNCOND_BR:
      return Flow::jump;
    case ZYDIS_CATEGORY_COND_BR:
      return Flow::conditional;
    case ZYDIS_CATEGORY_INTERRUPT:
      return Flow::trap;
    default:
      return Flow::next;
  }
}

// Instructions of a coprocessor only; on any other processor they are invalid.
bool is_knights_corner(const ZydisDecodedInstruction& instruction) {
  return instruction.encoding == ZYDIS_INSTRUCTION_ENCODING_MVEX || instruction.mnemonic == ZYDIS_MNEMONIC_JKZD ||
         instruction.mnemonic == ZYDIS_MNEMONIC_JKNZD;
}

class Oracle {
 public:
  Oracle() { ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64); }

  std::optional<Known> operator()(Bytes code) const {
    ZydisDecodedInstruction instruction;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder_, code.data(), code.size(), &instruction, operands)))
      return std::nullopt;
    if (is_knights_corner(instruction)) return std::nullopt;
    Known known{.length = instruction.length, .flow = flow_of(instruction), .rip_relative = false};
    for (size_t i = 0; i < instruction.operand_count; ++i)
      if (operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY &&
          (operands[i].mem.base == ZYDIS_REGISTER_RIP || operands[i].mem.base == ZYDIS_REGISTER_EIP))
        known.rip_relative = true;
    return known;
  }

 private:
  ZydisDecoder decoder_;
};

std::string hex(Bytes bytes) {
  std::string text;
  for (const uint8_t byte : bytes.first(std::min<size_t>(bytes.size(), 15))) {
    char digits[4];
    snprintf(digits, sizeof digits, "%02x ", byte);
    text += digits;
  }
  return text;
}

struct Count {
  size_t compared = 0, different = 0, only_ours = 0;
};

void compare(const Oracle& oracle, Bytes code, Count& count, size_t& length) {
  const auto known = oracle(code);
  const auto ours = decode(code);
  length = known ? known->length : 1;
  if (!known) {
    count.only_ours += ours.has_value();
    return;
  }
  ++count.compared;
  if (ours && ours->length == known->length && ours->flow == known->flow && ours->rip_relative == known->rip_relative)
    return;
  if (++count.different <= 20)
    ADD_FAILURE() << hex(code) << "length " << known->length << " ours " << (ours ? ours->length : 0) << ", flow "
                  << int(known->flow) << " ours " << (ours ? int(ours->flow) : -1) << ", rip-relative "
                  << known->rip_relative;
}

// A linear sweep; of a large section, `sample` bytes at evenly spaced places.
void sweep(const Oracle& oracle, const Text& text, Count& count) {
  constexpr size_t sample = 512 * 1024, pieces = 16;
  const size_t size = text.bytes.size();
  const size_t piece = size <= sample * 4 ? size : sample / pieces * 4;
  const size_t step = size <= sample * 4 ? size : size / pieces;
  for (size_t start = 0; start + piece <= size && step != 0; start += step) {
    const Bytes code = text.bytes.subspan(start, piece);
    for (size_t at = 0, length = 0; at < code.size(); at += length) compare(oracle, code.subspan(at), count, length);
  }
}

class DecodeOracle : public ::testing::TestWithParam<const char*> {};

TEST_P(DecodeOracle, AgreesOnEveryInstruction) {
  const std::string path = GetParam() == std::string_view("go") ? go_program() : GetParam();
  const ElfFile file(path.c_str());
  if (!file.ok()) GTEST_SKIP() << GetParam() << " is not installed";
  const Oracle oracle;
  Count count;
  for (const Text& text : file.texts()) sweep(oracle, text, count);
  std::cout << GetParam() << ": " << count.compared << " instructions, " << count.different << " different, "
            << count.only_ours << " only ours\n";
  EXPECT_EQ(count.different, 0u);
  EXPECT_GT(count.compared, 1000u);
}

INSTANTIATE_TEST_SUITE_P(Programs, DecodeOracle,
                         ::testing::Values("/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2",
                                           "/usr/lib/x86_64-linux-gnu/libstdc++.so.6", "/bin/busybox",
                                           "/usr/bin/python3", "/usr/bin/node",
                                           "/usr/lib/x86_64-linux-gnu/libcrypto.so.3", "go"));

// Every byte as a start: what a search for instruction boundaries sees.
TEST(DecodeOracle, AgreesFromEveryByteOfLibc) {
  const ElfFile file("/lib/x86_64-linux-gnu/libc.so.6");
  ASSERT_TRUE(file.ok());
  const Oracle oracle;
  Count count;
  for (const Text& text : file.texts()) {
    size_t length = 0;
    for (size_t at = 0; at < std::min<size_t>(text.bytes.size(), 1 << 20); ++at)
      compare(oracle, text.bytes.subspan(at), count, length);
  }
  EXPECT_EQ(count.different, 0u);
}

TEST(DecodeOracle, AgreesOnRandomBytes) {
  const Oracle oracle;
  Count count;
  std::mt19937_64 random(3);
  const uint8_t starts[] = {0x0f, 0xc4, 0xc5, 0x62, 0x66, 0x48, 0xf2, 0xf3, 0x8f, 0x67};
  for (int round = 0; round < 500'000; ++round) {
    uint8_t bytes[16];
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    for (uint64_t i = 0, prefixes = random() % 3; i < prefixes; ++i) bytes[i] = starts[random() % std::size(starts)];
    size_t length = 0;
    compare(oracle, bytes, count, length);
  }
  EXPECT_EQ(count.different, 0u);
  EXPECT_GT(count.compared, 100'000u);
}

}  // namespace
}  // namespace osp::patch
