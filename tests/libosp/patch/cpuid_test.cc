#include "libosp/patch/cpuid.h"

#include <cpuid.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>

#include "libosp/patch/plan.h"
#include "tests/libosp/patch/snippet.h"

namespace osp::patch {
namespace {

constexpr uint32_t features = 1, apic_number = 0xff00'0000;  // a leaf, and what of its ebx differs by processor

// What is left behind by a function that executes cpuid with the carry flag set and a word in its red zone.
struct Left {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
  uint64_t word = 0, flags = 0;
};

void expect_same(const Left& left, const CpuidAnswer& answer) {
  const uint32_t compared = answer.leaf == features ? ~apic_number : ~0U;
  EXPECT_EQ(left.eax, answer.eax) << std::hex << answer.leaf;
  EXPECT_EQ(left.ebx & compared, answer.ebx & compared) << std::hex << answer.leaf;
  EXPECT_EQ(left.ecx, answer.ecx) << std::hex << answer.leaf;
  EXPECT_EQ(left.edx, answer.edx) << std::hex << answer.leaf;
}

Left by_processor(uint32_t leaf, uint32_t subleaf) {
  Left left;
  __cpuid_count(leaf, subleaf, left.eax, left.ebx, left.ecx, left.edx);
  return left;
}

// A function with a patched cpuid, whose routine has the answers given.
class Patched {
 public:
  Patched(uint32_t leaf, std::span<const CpuidAnswer> answers)
      : memory_(static_cast<uint8_t*>(
            mmap(nullptr, size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
    Snippet snippet(address());
    function_ = snippet.add({0x53, 0x48, 0x89, 0x7c, 0x24, 0xf8, 0x31, 0xff, 0xf9});  // push, word, edi = 0, stc
    snippet.add({0xb8});
    for (unsigned i = 0; i < 32; i += 8) snippet.add({static_cast<uint8_t>(leaf >> i)});
    const uint64_t cpuid = snippet.add({0x0f, 0xa2});
    snippet.add({0x48, 0x8b, 0x7c, 0x24, 0xf8, 0x9c, 0x41, 0x8f, 0x40, 0x18});  // the word; the flags
    snippet.add({0x41, 0x89, 0x00, 0x41, 0x89, 0x58, 0x04, 0x41, 0x89, 0x48, 0x08, 0x41, 0x89, 0x50, 0x0c});
    snippet.add({0x49, 0x89, 0x78, 0x10, 0x5b, 0xc3});
    snippet.align();
    const auto site = examine(snippet.code(), cpuid);
    EXPECT_TRUE(site) << describe(site.error());
    EXPECT_EQ(site->kind, Kind::cpuid);
    const Ends ends{.cpuid_routine = address() + size / 4};
    write_cpuid_routine(answers, {memory_ + size / 4, cpuid_routine_size(answers)});
    const auto plan = make_plan(*site, address() + size / 2, ends);
    EXPECT_TRUE(plan);
    snippet.apply(*plan);
    std::memcpy(memory_, snippet.bytes.data(), snippet.bytes.size());
    std::memcpy(memory_ + size / 2, plan->trampoline.bytes.data(), plan->trampoline.size);
  }
  ~Patched() { munmap(memory_, size); }
  Patched(const Patched&) = delete;
  Patched& operator=(const Patched&) = delete;

  Left run(uint64_t word, uint32_t subleaf) const {
    Left left;
    reinterpret_cast<void (*)(uint64_t, int, int, uint64_t, Left*)>(function_)(word, 0, 0, subleaf, &left);
    return left;
  }

 private:
  static constexpr size_t size = 16384;
  uint64_t address() const { return reinterpret_cast<uint64_t>(memory_); }

  uint8_t* memory_;
  uint64_t function_ = 0;
};

constexpr CpuidAnswer answers[] = {
    {.leaf = 0, .eax = 1, .ebx = 2, .ecx = 3, .edx = 4},
    {.leaf = 4, .subleaf = 0, .subleaf_mask = ~0U, .eax = 5, .ebx = 6, .ecx = 7, .edx = 8},
    {.leaf = 4, .subleaf = 1, .subleaf_mask = ~0U, .eax = 9, .ebx = 10, .ecx = 11, .edx = 12},
};

TEST(Cpuid, IsAnsweredFromTheTable) {
  const Patched zero(0, answers), four(4, answers);
  expect_same(zero.run(0, 0), answers[0]);
  expect_same(zero.run(0, 77), answers[0]);
  expect_same(four.run(0, 0), answers[1]);
  expect_same(four.run(0, 1), answers[2]);
}

TEST(Cpuid, TheProcessorIsAskedWhatIsNotInTheTable) {
  const Patched four(4, answers), basic(0, {answers + 1, 2});
  const Left third = by_processor(4, 2), none = by_processor(0, 0);
  expect_same(four.run(0, 2), {.leaf = 4, .eax = third.eax, .ebx = third.ebx, .ecx = third.ecx, .edx = third.edx});
  expect_same(basic.run(0, 0), {.leaf = 0, .eax = none.eax, .ebx = none.ebx, .ecx = none.ecx, .edx = none.edx});
}

TEST(Cpuid, KeepsTheRedZoneAndTheFlags) {
  const Patched zero(0, answers);
  const Left left = zero.run(0x1122'3344'5566'7788, 0);
  EXPECT_EQ(left.word, 0x1122'3344'5566'7788u);
  EXPECT_EQ(left.flags & 1, 1u);
}

TEST(Cpuid, TheAnswersAreThoseOfTheProcessor) {
  EXPECT_GE(cpuid_answers().size(), 5u);
  for (const CpuidAnswer& answer : cpuid_answers()) expect_same(by_processor(answer.leaf, answer.subleaf), answer);
}

}  // namespace
}  // namespace osp::patch
