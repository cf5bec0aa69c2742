// Plans for every system call site of the machine's own programs, checked with Zydis.
#include <Zydis/Zydis.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "libosp/patch/plan.h"
#include "tests/libosp/patch/elf_text.h"
#include "tests/libosp/patch/programs.h"

namespace osp::patch {
namespace {

struct Decoded {
  ZydisDecodedInstruction instruction;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
};

bool decode_with_zydis(Bytes code, Decoded& out) {
  ZydisDecoder decoder;
  ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code.data(), code.size(), &out.instruction, out.operands));
}

bool is_padding(const ZydisDecodedInstruction& instruction) {
  return instruction.mnemonic == ZYDIS_MNEMONIC_NOP || instruction.mnemonic == ZYDIS_MNEMONIC_INT3 ||
         (instruction.mnemonic == ZYDIS_MNEMONIC_XCHG && instruction.length == 2);
}

// What a linear sweep by Zydis knows of a section.
struct Sweep {
  explicit Sweep(const Text& text) {
    uint64_t previous = 0;
    for (size_t at = 0; at < text.bytes.size();) {
      Decoded decoded;
      const uint64_t address = text.address + at;
      if (!decode_with_zydis(text.bytes.subspan(at), decoded)) {
        previous = 0;
        ++at;
        continue;
      }
      note(decoded, address, previous);
      previous = address;
      at += decoded.instruction.length;
    }
  }

  void note(const Decoded& decoded, uint64_t address, uint64_t previous) {
    if (decoded.instruction.mnemonic == ZYDIS_MNEMONIC_SYSCALL) sites[address] = previous;
    if (is_padding(decoded.instruction)) padding.insert(address);
    const ZydisDecodedOperand& operand = decoded.operands[0];
    uint64_t target = 0;
    if (decoded.instruction.operand_count > 0 && operand.type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
        operand.imm.is_relative &&
        ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&decoded.instruction, &operand, address, &target)))
      targets.insert(target);
  }

  bool is_target(uint64_t from, uint64_t to) const {
    const auto first = targets.lower_bound(from);
    return first != targets.end() && *first < to;
  }

  std::map<uint64_t, uint64_t> sites;  // system call → the instruction before it
  std::set<uint64_t> padding, targets;
};

// A section that is patched as the core would patch it.
class Patcher {
 public:
  explicit Patcher(const Text& text)
      : sweep_(text), address_(text.address), original_(text.bytes), bytes_(text.bytes.begin(), text.bytes.end()) {}

  void run() {
    for (const auto& [syscall, previous] : sweep_.sites) {
      const auto site = examine({address_, bytes_}, syscall);
      ++sites;
      if (!site) {
        ++refused[site.error()];
        continue;
      }
      ++patched;
      ASSERT_EQ(site->displaced, previous) << std::hex << syscall;
      check_site(*site);
      const auto plan = make_plan(*site, next_trampoline_);
      ASSERT_TRUE(plan);
      next_trampoline_ += 64;
      check_trampoline(*plan);
      apply(*plan);
      check_jumps(*plan);
    }
  }

  std::map<Refusal, size_t> refused;
  size_t sites = 0, patched = 0, with_padding = 0;

 private:
  Bytes at(uint64_t address, size_t size) const { return Bytes(bytes_).subspan(address - address_, size); }

  void check_site(const Site& site) {
    EXPECT_EQ(site.displaced + site.displaced_size, site.at);
    EXPECT_FALSE(sweep_.is_target(site.displaced + 1, site.at)) << std::hex << site.at;
    if (site.padding.size == 0) return;
    ++with_padding;
    check_padding(site.padding);
  }

  // Dead: alignment and nothing else in the file, no branch comes to it, and not in use already.
  void check_padding(const Padding& padding) {
    const uint64_t end = padding.address + padding.size;
    EXPECT_FALSE(sweep_.is_target(padding.address, end)) << std::hex << padding.address;
    const auto run = std::prev(sweep_.padding.upper_bound(padding.address));
    Decoded decoded;
    for (uint64_t a = *run; a < end; a += decoded.instruction.length) {
      ASSERT_TRUE(sweep_.padding.contains(a)) << std::hex << a;
      ASSERT_TRUE(decode_with_zydis(original_.subspan(a - address_), decoded));
    }
    for (uint64_t a = padding.address; a < padding.address + long_jump_size; ++a)
      EXPECT_TRUE(used_.insert(a).second) << std::hex << a;
  }

  void check_trampoline(const Plan& plan) {
    const Site& site = plan.site;
    const Bytes code = Bytes(plan.trampoline.bytes).first(plan.trampoline.size);
    check_displaced(site, at(site.displaced, site.displaced_size), code, plan.trampoline.address);
    check_entry(code.subspan(site.displaced_size), plan.trampoline.address + site.displaced_size, site.after());
  }

  // The same instruction: identical, but for a displacement to rip, which means the same address.
  static void check_displaced(const Site& site, Bytes before, Bytes code, uint64_t address) {
    Decoded old, decoded;
    ASSERT_TRUE(decode_with_zydis(before, old));
    ASSERT_TRUE(decode_with_zydis(code, decoded));
    ASSERT_EQ(decoded.instruction.length, site.displaced_size);
    const bool relative = (decoded.instruction.attributes & ZYDIS_ATTRIB_IS_RELATIVE) != 0;
    EXPECT_EQ(relative, site.displacement_offset != 0);
    const size_t field = site.displacement_offset;
    for (size_t i = 0; i < site.displaced_size; ++i) {
      const bool corrected = relative && i >= field && i < field + 4;
      ASSERT_TRUE(corrected || code[i] == before[i]);
    }
    if (!relative) return;
    EXPECT_EQ(decoded.instruction.raw.disp.offset, field);
    EXPECT_EQ(address + site.displaced_size + static_cast<uint64_t>(decoded.instruction.raw.disp.value),
              site.displaced + site.displaced_size + static_cast<uint64_t>(old.instruction.raw.disp.value));
  }

  static void check_entry(Bytes code, uint64_t address, uint64_t after_syscall) {
    Decoded lea, jump;
    ASSERT_TRUE(decode_with_zydis(code, lea));
    EXPECT_EQ(lea.instruction.mnemonic, ZYDIS_MNEMONIC_LEA);
    EXPECT_EQ(lea.operands[0].reg.value, ZYDIS_REGISTER_RCX);
    uint64_t target = 0;
    EXPECT_TRUE(ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&lea.instruction, &lea.operands[1], address, &target)));
    EXPECT_EQ(target, after_syscall);
    ASSERT_TRUE(decode_with_zydis(code.subspan(lea.instruction.length), jump));
    EXPECT_EQ(jump.instruction.mnemonic, ZYDIS_MNEMONIC_JMP);
    EXPECT_EQ(jump.operands[0].mem.segment, ZYDIS_REGISTER_GS);
    EXPECT_EQ(jump.operands[0].mem.base, ZYDIS_REGISTER_NONE);
    EXPECT_EQ(jump.operands[0].mem.disp.value, Ends{}.slot);
    EXPECT_EQ(lea.instruction.length + jump.instruction.length, code.size());
  }

  void apply(const Plan& plan) {
    for (const Write& write : plan.all_writes()) {
      EXPECT_EQ(write.one_word, write.address / 8 == (write.address + write.size - 1) / 8);
      EXPECT_EQ(write.one_line, write.address / 64 == (write.address + write.size - 1) / 64);
      ASSERT_TRUE(write.address + write.size <= plan.site.at || write.address >= plan.site.after());
      std::ranges::copy(write.span(), bytes_.begin() + static_cast<ptrdiff_t>(write.address - address_));
    }
  }

  uint64_t jump_target(uint64_t address, size_t length) const {
    Decoded decoded;
    uint64_t target = 0;
    EXPECT_TRUE(decode_with_zydis(at(address, 5), decoded));
    EXPECT_EQ(decoded.instruction.mnemonic, ZYDIS_MNEMONIC_JMP);
    EXPECT_EQ(decoded.instruction.length, length);
    EXPECT_TRUE(ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&decoded.instruction, decoded.operands, address, &target)));
    return target;
  }

  void check_jumps(const Plan& plan) const {
    const Site& site = plan.site;
    uint64_t at_jump = site.displaced;
    if (site.padding.size != 0) {
      EXPECT_EQ(jump_target(at_jump, short_jump_size), site.padding.address);
      at_jump = site.padding.address;
    }
    EXPECT_EQ(jump_target(at_jump, long_jump_size), plan.trampoline.address);
    EXPECT_EQ(at(site.at, 2)[0], 0x0f);
    EXPECT_EQ(at(site.at, 2)[1], 0x05);
    const auto again = examine({address_, bytes_}, site.at);
    EXPECT_FALSE(again) << std::hex << site.at;
  }

  Sweep sweep_;
  uint64_t address_;
  Bytes original_;
  std::vector<uint8_t> bytes_;
  std::set<uint64_t> used_;
  uint64_t next_trampoline_ = 0x4000'0000;
};

struct Program {
  const char* path;
  int least_percent;  // of its sites
};

class PlanOracle : public ::testing::TestWithParam<Program> {};

TEST_P(PlanOracle, EveryPlanIsRight) {
  const Program program = GetParam();
  const std::string path = program.path == std::string_view("go") ? go_program() : program.path;
  const ElfFile file(path.c_str());
  if (!file.ok()) GTEST_SKIP() << program.path << " is not installed";
  size_t sites = 0, patched = 0, with_padding = 0;
  std::map<Refusal, size_t> refused;
  for (const Text& text : file.texts()) {
    Patcher patcher(text);
    patcher.run();
    sites += patcher.sites, patched += patcher.patched, with_padding += patcher.with_padding;
    for (const auto& [reason, count] : patcher.refused) refused[reason] += count;
  }
  std::cout << program.path << ": " << patched << " of " << sites << " sites, " << with_padding << " by padding\n";
  for (const auto& [reason, count] : refused) std::cout << "  " << count << ": " << describe(reason) << '\n';
  EXPECT_GE(patched * 100, sites * static_cast<size_t>(program.least_percent));
}

INSTANTIATE_TEST_SUITE_P(Programs, PlanOracle,
                         ::testing::Values(Program{"/lib/x86_64-linux-gnu/libc.so.6", 90},
                                           Program{"/lib64/ld-linux-x86-64.so.2", 80}, Program{"/bin/busybox", 80},
                                           Program{"/usr/bin/python3", 0},
                                           Program{"/usr/lib/x86_64-linux-gnu/libgomp.so.1", 90},
                                           Program{"/usr/lib/x86_64-linux-gnu/libtsan.so.2", 50}, Program{"go", 90}));

}  // namespace
}  // namespace osp::patch
