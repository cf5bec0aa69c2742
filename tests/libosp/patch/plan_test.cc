#include "libosp/patch/plan.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <random>

#include "tests/libosp/patch/snippet.h"

namespace osp::patch {
namespace {

constexpr uint64_t base = 0x40'0000;
constexpr uint64_t trampoline = 0x1000'0000;

void expect_refused(const Snippet& snippet, uint64_t syscall, Refusal refusal) {
  const auto site = examine(snippet.code(), syscall);
  ASSERT_FALSE(site) << describe(refusal);
  EXPECT_EQ(site.error(), refusal) << describe(site.error());
}

TEST(Plan, ALongInstructionBecomesTheLongJump) {
  Snippet snippet(base);
  const uint64_t syscall = snippet.add_syscall({0xb8, 0x27, 0, 0, 0});  // mov $39,%eax
  snippet.align();
  const auto site = examine(snippet.code(), syscall);
  ASSERT_TRUE(site) << describe(site.error());
  EXPECT_EQ(site->displaced, syscall - 5);
  EXPECT_EQ(site->after(), syscall + 2);
  EXPECT_EQ(site->padding.size, 0);
  const auto plan = make_plan(*site, trampoline);
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->write_count, 1);
  const Write& write = plan->writes[0];
  EXPECT_EQ(write.address, syscall - 5);
  EXPECT_EQ(std::vector<uint8_t>(write.span().begin(), write.span().end()),
            (std::vector<uint8_t>{0xe9, 0x5b, 0xff, 0xbf, 0x0f}));
  EXPECT_TRUE(write.one_word);
  EXPECT_TRUE(write.one_line);
  EXPECT_EQ(plan->trampoline.size, trampoline_size(*site));
  EXPECT_EQ(plan->trampoline.bytes[0], 0xb8);
}

TEST(Plan, AnEvenLongerOneIsFilledUpWithInt3) {
  Snippet snippet(base);
  const uint64_t syscall = snippet.add_syscall({0x48, 0xb8, 1, 0, 0, 0, 0, 0, 0, 0});  // movabs $1,%rax
  snippet.align();
  const auto site = examine(snippet.code(), syscall);
  ASSERT_TRUE(site);
  const auto plan = make_plan(*site, trampoline);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->writes[0].size, 10);
  for (size_t i = 5; i < 10; ++i) EXPECT_EQ(plan->writes[0].bytes[i], 0xcc);
  EXPECT_FALSE(plan->writes[0].one_word);
}

TEST(Plan, AShortOneJumpsToPaddingThatHoldsTheLongJump) {
  Snippet snippet(base);
  const uint64_t syscall = snippet.add_syscall({0x31, 0xc0});  // xor %eax,%eax
  const uint64_t padding = snippet.here();
  snippet.align();
  const auto site = examine(snippet.code(), syscall);
  ASSERT_TRUE(site) << describe(site.error());
  EXPECT_EQ(site->padding.address, padding);
  EXPECT_EQ(site->padding.size, 11);
  const auto plan = make_plan(*site, trampoline);
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->write_count, 2);
  EXPECT_EQ(plan->writes[0].address, padding);  // the padding first: the site leads to it
  EXPECT_EQ(plan->writes[0].bytes[0], 0xe9);
  EXPECT_EQ(plan->writes[1].address, syscall - 2);
  EXPECT_EQ(plan->writes[1].bytes[0], 0xeb);
  EXPECT_EQ(plan->writes[1].bytes[1], 3);
}

TEST(Plan, ASyscallWhoseFlagsAreReadIsRefused) {
  for (const uint8_t reader : std::array<uint8_t, 2>{0x9c, 0x9f}) {  // pushf, lahf
    Snippet snippet(base);
    const uint64_t syscall = snippet.add_syscall({0xb8, 0x27, 0, 0, 0}, {reader, 0xc3});
    expect_refused(snippet, syscall, Refusal::shows_flags);
  }
}

TEST(Plan, PaddingIsUsedOnceAndItsRestAgain) {
  Snippet snippet(base);
  snippet.bytes.assign(160, 0);
  for (size_t i = 0; i < 160; i += 4)
    std::ranges::copy(std::array{0x48, 0x89, 0xf8, 0x56}, snippet.bytes.begin() + static_cast<ptrdiff_t>(i));
  uint64_t syscalls[3];
  for (uint64_t& syscall : syscalls) syscall = snippet.add_syscall({0x31, 0xc0}, {0x48, 0x89, 0xc3});
  snippet.add({0x48, 0x89, 0xd8, 0xc3});
  const uint64_t padding = snippet.here();
  snippet.align();
  ASSERT_EQ(snippet.here() - padding, 7u);
  for (int i = 0; i < 20; ++i) snippet.add({0x48, 0x89, 0xf8});
  const auto first = examine(snippet.code(), syscalls[0]);
  ASSERT_TRUE(first) << describe(first.error());
  EXPECT_EQ(first->padding.address, padding);
  snippet.apply(*make_plan(*first, trampoline));
  expect_refused(snippet, syscalls[1], Refusal::no_padding);
  snippet.align();
  for (int i = 0; i < 16; ++i) snippet.add({0xcc});
  for (int i = 0; i < 40; ++i) snippet.add({0x48, 0x89, 0xf8});
  const auto second = examine(snippet.code(), syscalls[1]);
  ASSERT_TRUE(second) << describe(second.error());
  snippet.apply(*make_plan(*second, trampoline));
  const auto third = examine(snippet.code(), syscalls[2]);
  ASSERT_TRUE(third);
  EXPECT_EQ(third->padding.address, second->padding.address + long_jump_size);
}

TEST(Plan, NopsThatMayBeAFunctionsBeginningAreNoPadding) {
  Snippet snippet(base);
  snippet.bytes.resize(0);
  for (int i = 0; i < 60; ++i) snippet.add({0x48, 0x89, 0xf8});  // no padding before
  while (snippet.here() % 16 != 11) snippet.add({0x56});
  const uint64_t syscall = snippet.add_syscall({0x31, 0xc0});  // its ret ends at the boundary
  ASSERT_EQ(snippet.here() % 16, 0u);
  for (int i = 0; i < 16; ++i) snippet.add({0x90});  // an entry that can be patched by others
  snippet.add({0x48, 0x89, 0xf8, 0xc3});
  for (int i = 0; i < 60; ++i) snippet.add({0x48, 0x89, 0xf8});
  expect_refused(snippet, syscall, Refusal::no_padding);
}

TEST(Plan, NopsThatAreRunThroughAreNoPadding) {
  Snippet snippet(base);
  snippet.bytes.resize(0);
  for (int i = 0; i < 60; ++i) snippet.add({0x48, 0x89, 0xf8});
  const uint64_t syscall = snippet.add_syscall({0x31, 0xc0}, {0x48, 0x89, 0xc3});
  snippet.align();  // before the head of a loop
  for (int i = 0; i < 60; ++i) snippet.add({0x48, 0x89, 0xf8});
  expect_refused(snippet, syscall, Refusal::no_padding);
}

TEST(Plan, RefusesWhatCannotBeMoved) {
  const struct {
    std::vector<uint8_t> before;
    Refusal refusal;
  } cases[] = {
      {{0x67, 0x8b, 0x05, 1, 0, 0, 0}, Refusal::rip_relative},
      {{0xe8, 1, 0, 0, 0}, Refusal::branch},
      {{0x0f, 0x85, 1, 0, 0, 0}, Refusal::branch},
      {{0x0f, 0x05}, Refusal::branch},
      {{0xeb, 0xfe}, Refusal::branch},
      {{0xf0, 0x48, 0x0f, 0xb1, 0x0f}, Refusal::special},
      {{0xf3, 0x0f, 0x1e, 0xfa}, Refusal::special},
      {{0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0}, Refusal::signal_restorer},
      {{0xb8, 0x0f, 0, 0, 0}, Refusal::signal_restorer},
      {{0x58}, Refusal::too_short},
  };
  for (const auto& c : cases) {
    Snippet snippet(base);
    snippet.bytes.insert(snippet.bytes.end(), c.before.begin(), c.before.end());
    const uint64_t syscall = snippet.add_syscall({});
    snippet.align();
    expect_refused(snippet, syscall, c.refusal);
  }
}

TEST(Plan, RefusesWhatItCannotBeSureOf) {
  Snippet snippet(base);
  const uint64_t syscall = snippet.add_syscall({0xb8, 0x27, 0, 0, 0});
  expect_refused(snippet, syscall - 1, Refusal::not_a_site);
  expect_refused(snippet, syscall + 2, Refusal::not_a_site);
  expect_refused(snippet, base - 1, Refusal::not_a_site);
  const Code near = {syscall - 8, Bytes(snippet.bytes).last(11)};
  EXPECT_EQ(examine(near, syscall).error(), Refusal::unclear);
  // Zeros are instructions of two bytes: from every other byte one comes to another boundary.
  std::fill(snippet.bytes.begin(), snippet.bytes.end() - 8, 0);
  expect_refused(snippet, syscall, Refusal::unclear);
}

TEST(Plan, ATrampolineOutOfReachIsRefused) {
  Snippet snippet(base);
  const uint64_t syscall = snippet.add_syscall({0xb8, 0x27, 0, 0, 0});
  const auto site = examine(snippet.code(), syscall);
  ASSERT_TRUE(site);
  EXPECT_EQ(make_plan(*site, base + (uint64_t{1} << 31) + 4096), fail(ERANGE));
  EXPECT_TRUE(make_plan(*site, base + (uint64_t{1} << 31) - 4096));
  EXPECT_EQ(make_plan(*site, 0x7000'0000'0000).error(), Error(ERANGE));
}

TEST(Plan, ARipRelativeInstructionMustReachItsOperandFromTheTrampoline) {
  Snippet snippet(base);
  const uint64_t syscall = snippet.add_syscall({0x8b, 0x05, 0, 0, 0, 0x80});  // mov -2 GiB(%rip),%eax
  const auto site = examine(snippet.code(), syscall);
  ASSERT_TRUE(site) << describe(site.error());
  EXPECT_EQ(site->displacement_offset, 2);
  EXPECT_EQ(make_plan(*site, base + 0x10000), fail(ERANGE));
  const auto plan = make_plan(*site, base - 0x10000);
  ASSERT_TRUE(plan);
  int32_t corrected = 0;
  std::memcpy(&corrected, plan->trampoline.bytes.data() + 2, sizeof corrected);
  const int64_t moved = static_cast<int64_t>(site->displaced) - static_cast<int64_t>(plan->trampoline.address);
  EXPECT_EQ(corrected, INT32_MIN + moved);
}

TEST(Plan, TellsTheOriginalPlaceOfAnyRip) {
  Snippet snippet(base);
  const uint64_t syscall = snippet.add_syscall({0x31, 0xc0});
  const uint64_t padding = snippet.here();
  snippet.align();
  const auto plan = make_plan(*examine(snippet.code(), syscall), trampoline);
  ASSERT_TRUE(plan);
  EXPECT_EQ(original_rip(*plan, padding), syscall - 2);
  EXPECT_EQ(original_rip(*plan, trampoline), syscall - 2);
  EXPECT_EQ(original_rip(*plan, trampoline + 2), syscall);
  EXPECT_EQ(original_rip(*plan, trampoline + 9), syscall);
  EXPECT_EQ(original_rip(*plan, trampoline + plan->trampoline.size), trampoline + plan->trampoline.size);
  EXPECT_EQ(original_rip(*plan, syscall), syscall);
  EXPECT_EQ(original_rip(*plan, 0), 0u);
}

// mov %r12d,%eax; mov %esi,%ecx; cpuid, with no padding near it; then what `more` says.
struct Wide {
  explicit Wide(std::initializer_list<uint8_t> more = {}) : snippet(base) {
    for (int i = 0; i < 40; ++i) snippet.add({0x48, 0x89, 0xf8, 0x48, 0x89, 0xf0});
    first = snippet.add({0x44, 0x89, 0xe0});
    second = snippet.add({0x89, 0xf1});
    cpuid = snippet.add({0x0f, 0xa2});
    snippet.add(more);
    for (int i = 0; i < 40; ++i) snippet.add({0x48, 0x89, 0xf8, 0x48, 0x89, 0xf0});
    snippet.add({0xc3});
  }
  Snippet snippet;
  uint64_t first = 0, second = 0, cpuid = 0;
};

void expect_wide_refused(const Snippet& snippet, uint64_t cpuid, Refusal refusal) {
  const auto site = examine_wide(snippet.code(), cpuid);
  ASSERT_FALSE(site);
  EXPECT_EQ(site.error(), refusal) << describe(site.error());
}

TEST(Plan, ACpuidWithoutPaddingTakesTheTwoInstructionsBeforeIt) {
  Wide wide;
  expect_refused(wide.snippet, wide.cpuid, Refusal::no_padding);
  const auto site = examine_wide(wide.snippet.code(), wide.cpuid);
  ASSERT_TRUE(site) << describe(site.error());
  EXPECT_EQ(site->displaced, wide.first);
  EXPECT_EQ(site->displaced_size, 5);
  const auto plan = make_plan(*site, trampoline, {.cpuid_routine = trampoline + 64});
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->write_count, 1);
  EXPECT_EQ(original_rip(*plan, trampoline), wide.first);
  EXPECT_EQ(original_rip(*plan, trampoline + 3), wide.second);
  EXPECT_EQ(original_rip(*plan, trampoline + 5), wide.cpuid);
}

TEST(Plan, NotIfABranchMayLeadBetweenThem) {
  const Wide near({0x75, static_cast<uint8_t>(-6)});  // jne to the second
  expect_wide_refused(near.snippet, near.cpuid, Refusal::branched_to);
  const Wide far({0xe9, static_cast<uint8_t>(-9), 0xff, 0xff, 0xff});
  expect_wide_refused(far.snippet, far.cpuid, Refusal::branched_to);
  const Wide first({0x75, static_cast<uint8_t>(-9)});  // to the first
  EXPECT_TRUE(examine_wide(first.snippet.code(), first.cpuid));
}

// Its two bytes alone may be a constant.
TEST(Plan, ACpuidThatAsksNothingIsRefused) {
  for (const std::initializer_list<uint8_t> before :
       {std::initializer_list<uint8_t>{0xba, 1, 0, 0, 0}, {0x48, 0x89, 0xc6}, {0x41, 0xb8, 1, 0, 0, 0}}) {
    Snippet snippet(base);
    snippet.add(before);  // mov to edx, rsi, r8d
    const uint64_t cpuid = snippet.add({0x0f, 0xa2});
    snippet.align();
    expect_refused(snippet, cpuid, Refusal::asks_nothing);
  }
}

TEST(Plan, OnlyACpuidIsTakenSo) {
  Snippet snippet(base);
  for (int i = 0; i < 40; ++i) snippet.add({0x48, 0x89, 0xf8, 0x48, 0x89, 0xf0});
  const uint64_t syscall = snippet.add_syscall({0x44, 0x89, 0xe0, 0x89, 0xf1});
  expect_wide_refused(snippet, syscall, Refusal::not_a_site);
}

// Random code with the span's ends at pages that cannot be read.
TEST(Plan, NeverLeavesTheCodeWhateverItIs) {
  constexpr size_t page = 4096;
  auto* const memory = static_cast<uint8_t*>(mmap(nullptr, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_EQ(mprotect(memory + page, page, PROT_READ | PROT_WRITE), 0);
  std::mt19937_64 random(11);
  const uint8_t usual[] = {0x90, 0xcc, 0xc3, 0xeb, 0x66, 0x0f, 0x1f, 0x48, 0x89, 0xc0, 0x31, 0xb8, 0x00};
  size_t patched = 0;
  for (int round = 0; round < 20'000; ++round) {
    const size_t size = 2 + random() % 400, at = random() % (size - 1);
    uint8_t* const start = random() % 2 == 0 ? memory + page : memory + 2 * page - size;
    for (size_t i = 0; i < size; ++i)
      start[i] = random() % 4 == 0 ? static_cast<uint8_t>(random()) : usual[random() % std::size(usual)];
    std::ranges::copy(syscall_bytes, start + at);
    const Code code = {base, {start, size}};
    const auto site = examine(code, base + at);
    if (!site) continue;
    const auto plan = make_plan(*site, trampoline);
    ASSERT_TRUE(plan);
    ++patched;
    for (const Write& write : plan->all_writes()) {
      ASSERT_TRUE(code.contains(write.address, write.size));
      ASSERT_TRUE(write.address + write.size <= site->at || write.address >= site->after());
    }
  }
  EXPECT_GT(patched, 100u);
  munmap(memory, 3 * page);
}

}  // namespace
}  // namespace osp::patch
