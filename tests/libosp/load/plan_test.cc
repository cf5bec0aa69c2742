#include "libosp/load/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "tests/libosp/load/elf_builder.h"

namespace osp::load {
namespace {

Program parsed(ElfBuilder elf) {
  const auto bytes = elf.build();
  SpanSource source(bytes);
  auto program = parse(source);
  EXPECT_TRUE(program) << program.error().reason;
  return *program;
}

void expect_action(const Action& action, Action::Kind kind, uint64_t address, uint64_t size, uint64_t offset) {
  EXPECT_EQ(action.kind, kind);
  EXPECT_EQ(action.address, address);
  EXPECT_EQ(action.size, size);
  EXPECT_EQ(action.file_offset, offset);
}

TEST(Plan, MapsAMovableProgramAtItsBase) {
  const auto plan = plan_image(parsed(usual_program()), 0x7000'0000'0000);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->bias, 0x7000'0000'0000u);
  EXPECT_EQ(plan->start, 0x7000'0000'0000u);
  EXPECT_EQ(plan->size, 0x6000u);
  EXPECT_EQ(plan->entry, 0x7000'0000'1010u);
  EXPECT_EQ(plan->phdr_address, 0x7000'0000'0040u);
  EXPECT_EQ(plan->brk_start, 0x7000'0000'6000u);
  ASSERT_EQ(plan->actions.size(), 4u);
  expect_action(plan->actions[0], Action::Kind::map_file, 0x7000'0000'0000, 0x2000, 0);
  expect_action(plan->actions[1], Action::Kind::map_file, 0x7000'0000'3000, 0x1000, 0x1000);
  expect_action(plan->actions[2], Action::Kind::zero, 0x7000'0000'3900, 0x700, 0);
  expect_action(plan->actions[3], Action::Kind::map_anonymous, 0x7000'0000'4000, 0x2000, 0);
  EXPECT_EQ(plan->actions[3].protection, PROT_READ | PROT_WRITE);
}

TEST(Plan, KeepsAFixedProgramWhereItIs) {
  ElfBuilder elf;
  elf.header.e_type = ET_EXEC;
  elf.header.e_entry = 0x401000;
  elf.load(0x400000, 0, 0x1000, 0x1000, PF_R | PF_X);
  elf.load(0x402000, 0, 0, 0x800, PF_R | PF_W);
  const auto plan = plan_image(parsed(elf), 0x1234);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->bias, 0u);
  EXPECT_EQ(plan->start, 0x400000u);
  EXPECT_EQ(plan->entry, 0x401000u);
  ASSERT_EQ(plan->actions.size(), 2u);
  expect_action(plan->actions[1], Action::Kind::map_anonymous, 0x402000, 0x1000, 0);
}

TEST(Plan, DoesNotWriteToReadOnlySegments) {
  ElfBuilder elf;
  elf.load(0, 0, 0x1234, 0x3000, PF_R);
  const auto plan = plan_image(parsed(elf), 0x10000);
  ASSERT_TRUE(plan);
  for (const Action& action : plan->actions) EXPECT_NE(action.kind, Action::Kind::zero);
  EXPECT_EQ(plan->actions.back().kind, Action::Kind::map_anonymous);
}

TEST(Plan, HonoursTheAlignment) {
  ElfBuilder elf = usual_program();
  elf.headers[0].p_align = 0x200000;
  const Program program = parsed(elf);
  EXPECT_EQ(base_alignment(program), 0x200000u);
  const auto refused = plan_image(program, 0x7000'0000'1000);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error, Error(EINVAL));
  EXPECT_TRUE(plan_image(program, 0x7000'0020'0000));
}

TEST(Plan, AMovableProgramLinkedToAnAddressMovesByMultiplesOfItsAlignment) {
  ElfBuilder elf;
  elf.header.e_entry = 0x350000;
  elf.load(0x350000, 0, 0x1000, 0x1000, PF_R | PF_X).p_align = 0x200000;
  const auto plan = plan_image(parsed(elf), 0x400000);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->bias % 0x200000, 0u);
  EXPECT_EQ(plan->start, 0x550000u);
  EXPECT_EQ(plan->entry, 0x550000u);
}

TEST(Plan, RefusesWhatLiesOutsideOfTheRange) {
  ElfBuilder elf;
  elf.header.e_type = ET_EXEC;
  elf.load(0x6800'0000'0000, 0, 0x1000, 0x1000, PF_R | PF_X);
  const Program fixed = parsed(elf);
  EXPECT_TRUE(plan_image(fixed, 0));
  const auto refused = plan_image(fixed, 0, {.lowest = 0x10000, .limit = 0x6800'0000'0000});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error, Error(ENOMEM));
  EXPECT_THAT(refused.error().reason, ::testing::HasSubstr("0x680000000000"));
  EXPECT_FALSE(plan_image(parsed(usual_program()), 0));
  EXPECT_FALSE(plan_image(parsed(usual_program()), address_limit - 0x1000));
}

TEST(Plan, StartsAtTheInterpreter) {
  const Program program = parsed(usual_program());
  const auto plan = plan_load(program, &program, {.program = 0x100000, .interpreter = 0x200000});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->entry, 0x201010u);
  EXPECT_EQ(plan->interpreter_base, 0x200000u);
  EXPECT_EQ(plan->program.entry, 0x101010u);
  const auto alone = plan_load(program, nullptr, {.program = 0x100000, .interpreter = 0});
  ASSERT_TRUE(alone);
  EXPECT_EQ(alone->entry, 0x101010u);
  EXPECT_EQ(alone->interpreter_base, 0u);
  EXPECT_EQ(alone->interpreter.size, 0u);
}

TEST(Plan, RefusesAnInterpreterAtopOfTheProgram) {
  const Program program = parsed(usual_program());
  const auto plan = plan_load(program, &program, {.program = 0x100000, .interpreter = 0x105000});
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().error, Error(ENOMEM));
  EXPECT_TRUE(plan_load(program, &program, {.program = 0x100000, .interpreter = 0x106000}));
}

}  // namespace
}  // namespace osp::load
