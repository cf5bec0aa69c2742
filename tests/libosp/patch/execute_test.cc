// Runs patched code, with a stand-in for the core behind gs that notes the registers it is entered with.
#include <asm/prctl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "base/raw_syscall.h"
#include "libosp/patch/plan.h"
#include "tests/libosp/patch/snippet.h"

// Notes rax rdi rsi rdx r10 r8 r9 rcx rsp, counts, and goes on at rcx with 4711 in rax.
extern "C" {
void osp_patch_test_entry();
extern uint64_t osp_patch_test_regs[9];
extern uint64_t osp_patch_test_entries;
}
asm(R"(
        .text
        .globl osp_patch_test_entry
        .type osp_patch_test_entry, @function
osp_patch_test_entry:
        leaq osp_patch_test_regs(%rip), %r11
        movq %rax, (%r11)
        movq %rdi, 8(%r11)
        movq %rsi, 16(%r11)
        movq %rdx, 24(%r11)
        movq %r10, 32(%r11)
        movq %r8, 40(%r11)
        movq %r9, 48(%r11)
        movq %rcx, 56(%r11)
        movq %rsp, 64(%r11)
        incq osp_patch_test_entries(%rip)
        movl $4711, %eax
        jmp *%rcx
        .size osp_patch_test_entry, . - osp_patch_test_entry
        .bss
        .balign 8
        .globl osp_patch_test_regs
osp_patch_test_regs:
        .zero 72
        .globl osp_patch_test_entries
osp_patch_test_entries:
        .zero 8
        .text
)");

namespace osp::patch {
namespace {

using Function = uint64_t(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);

class Execute : public ::testing::Test {
 protected:
  static constexpr size_t size = 8192;

  Execute() {
    memory_ = static_cast<uint8_t*>(
        mmap(nullptr, size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    worker_[1] = reinterpret_cast<void*>(osp_patch_test_entry);
    raw::syscall(SYS_arch_prctl, ARCH_SET_GS, worker_);
    osp_patch_test_entries = 0;
  }
  ~Execute() override {
    raw::syscall(SYS_arch_prctl, ARCH_SET_GS, 0);
    munmap(memory_, size);
  }

  uint64_t start() const { return reinterpret_cast<uint64_t>(memory_); }

  // Puts the snippet into memory, patches the site there in the plan's order, trampoline first.
  void install(const Snippet& snippet, uint64_t syscall) {
    std::memcpy(memory_, snippet.bytes.data(), snippet.bytes.size());
    const auto site = examine({start(), {memory_, snippet.bytes.size()}}, syscall);
    ASSERT_TRUE(site) << describe(site.error());
    const auto plan = make_plan(*site, start() + size / 2);
    ASSERT_TRUE(plan);
    std::memcpy(reinterpret_cast<void*>(plan->trampoline.address), plan->trampoline.bytes.data(),
                plan->trampoline.size);
    for (const Write& write : plan->all_writes())
      std::memcpy(reinterpret_cast<void*>(write.address), write.bytes.data(), write.size);
  }

  uint64_t call(uint64_t address) { return reinterpret_cast<Function*>(address)(11, 12, 13, 14, 15, 16); }

  // The core was entered once with this number and argument 4, and control came back behind the call.
  void expect_entered(uint64_t number, uint64_t syscall) {
    EXPECT_EQ(osp_patch_test_entries, 1u);
    EXPECT_EQ(osp_patch_test_regs[0], number);
    EXPECT_EQ(osp_patch_test_regs[1], 11u);
    EXPECT_EQ(osp_patch_test_regs[2], 12u);
    EXPECT_EQ(osp_patch_test_regs[3], 13u);
    EXPECT_EQ(osp_patch_test_regs[5], 15u);
    EXPECT_EQ(osp_patch_test_regs[6], 16u);
    EXPECT_EQ(osp_patch_test_regs[7], syscall + 2);
  }

  // A function of `before`, the system call and `after`; it must give 4711 through the core.
  void check(std::initializer_list<uint8_t> before, std::initializer_list<uint8_t> after, uint64_t number) {
    Snippet snippet(start());
    const uint64_t function = snippet.here();
    const uint64_t syscall = snippet.add_syscall(before, after);
    snippet.align();
    snippet.function({0xc3});
    install(snippet, syscall);
    EXPECT_EQ(call(function), 4711u);
    expect_entered(number, syscall);
  }

  uint8_t* memory_ = nullptr;
  void* worker_[2] = {};
};

TEST_F(Execute, MovToEax) { check({0xb8, 0x27, 0, 0, 0}, {0xc3}, 39); }
TEST_F(Execute, MovToRax) { check({0x48, 0xc7, 0xc0, 0x27, 0, 0, 0}, {0xc3}, 39); }
TEST_F(Execute, MovabsToRax) { check({0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8}, {0xc3}, 0x0807060504030201); }
TEST_F(Execute, XorEaxAsInRead) { check({0x31, 0xc0}, {0xc3}, 0); }

TEST_F(Execute, AnInstructionThatReadsRcx) {
  check({0xb8, 0x2d, 0, 0, 0, 0x49, 0x89, 0xca}, {0xc3}, 45);  // mov $45,%eax; mov %rcx,%r10
  EXPECT_EQ(osp_patch_test_regs[4], 14u);
}

TEST_F(Execute, AnInstructionThatReadsTheStack) {
  check({0x6a, 0x63, 0x48, 0x8b, 0x44, 0x24, 0x00}, {0x59, 0xc3}, 99);  // push $99; mov 0(%rsp),%rax … pop %rcx
}

TEST_F(Execute, AnInstructionThatReadsByRip) {
  // mov $1,%eax; add $imm8,1f(%rip) … with an immediate behind the displacement; syscall; ret; 1: .long
  Snippet snippet(start());
  const uint64_t function = snippet.here();
  const uint64_t syscall = snippet.add_syscall({0xb8, 1, 0, 0, 0, 0x83, 0x05, 3, 0, 0, 0, 77}, {0xc3});
  const uint64_t word = snippet.add({5, 0, 0, 0});
  snippet.align();
  install(snippet, syscall);
  EXPECT_EQ(call(function), 4711u);
  expect_entered(1, syscall);
  EXPECT_EQ(*reinterpret_cast<uint8_t*>(word), 82);
}

TEST_F(Execute, AnInstructionThatMovesTheStack) {
  // mov $7,%eax; sub $24,%rsp; syscall; add $24,%rsp; ret
  check({0xb8, 7, 0, 0, 0, 0x48, 0x83, 0xec, 0x18}, {0x48, 0x83, 0xc4, 0x18, 0xc3}, 7);
}

TEST_F(Execute, AJumpToTheSystemCallItselfStillMakesIt) {
  Snippet snippet(start());
  // mov $39,%eax; jmp over the next to the syscall; mov $1,%eax; syscall; ret
  const uint64_t function = snippet.add({0xb8, 0x27, 0, 0, 0, 0xeb, 0x05});
  const uint64_t syscall = snippet.add_syscall({0xb8, 0x01, 0, 0, 0});
  snippet.align();
  install(snippet, syscall);
  EXPECT_EQ(call(function), static_cast<uint64_t>(getpid()));
  EXPECT_EQ(osp_patch_test_entries, 0u);
  EXPECT_EQ(call(function + 7), 4711u);
  expect_entered(1, syscall);
}

}  // namespace
}  // namespace osp::patch
