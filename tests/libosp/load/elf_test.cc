#include "libosp/load/elf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <functional>
#include <random>

#include "tests/libosp/load/elf_builder.h"

namespace osp::load {
namespace {

using ::testing::HasSubstr;

Outcome<Program> parse_bytes(const std::vector<std::byte>& bytes) {
  SpanSource source(bytes);
  return parse(source);
}

void expect_refused(const std::vector<std::byte>& bytes, std::string_view reason) {
  const auto program = parse_bytes(bytes);
  ASSERT_FALSE(program) << reason;
  EXPECT_EQ(program.error().error, Error(ENOEXEC));
  EXPECT_THAT(program.error().reason, HasSubstr(reason));
}

TEST(Elf, ParsesAUsualProgram) {
  ElfBuilder elf = usual_program();
  elf.interpreter(0x400, "/lib64/ld.so");
  Elf64_Phdr stack{};
  stack.p_type = PT_GNU_STACK;
  stack.p_flags = PF_R | PF_W | PF_X;
  elf.add(stack);
  const auto program = parse_bytes(elf.build());
  ASSERT_TRUE(program) << program.error().reason;
  EXPECT_EQ(program->kind, Kind::movable);
  EXPECT_EQ(program->entry, 0x1010u);
  EXPECT_EQ(program->interpreter, "/lib64/ld.so");
  EXPECT_TRUE(program->executable_stack);
  EXPECT_TRUE(program->phdr_mapped);
  EXPECT_EQ(program->phdr_address, sizeof(Elf64_Ehdr));
  EXPECT_EQ(program->phdr_count, 4);
  ASSERT_EQ(program->segments.size(), 2u);
  EXPECT_EQ(program->segments[0].protection, PROT_READ | PROT_EXEC);
  EXPECT_EQ(program->segments[1].address, 0x3800u);
  EXPECT_EQ(program->segments[1].memory_size, 0x2000u);
  EXPECT_EQ(program->segments[1].protection, PROT_READ | PROT_WRITE);
}

TEST(Elf, DropsEmptySegments) {
  ElfBuilder elf = usual_program();
  elf.load(0x9000, 0, 0, 0, PF_R);
  const auto program = parse_bytes(elf.build());
  ASSERT_TRUE(program);
  EXPECT_EQ(program->segments.size(), 2u);
}

TEST(Elf, HeadersOutsideOfSegmentsAreNotMapped) {
  ElfBuilder elf;
  elf.load(0x400000, 0x1000, 0x1000, 0x1000, PF_R | PF_X);
  elf.header.e_type = ET_EXEC;
  const auto program = parse_bytes(elf.build());
  ASSERT_TRUE(program);
  EXPECT_FALSE(program->phdr_mapped);
  EXPECT_EQ(program->kind, Kind::fixed);
}

TEST(Elf, RefusesWhatIsNoElf) {
  expect_refused({}, "is empty");
  const std::string_view text = "hello, this is text and longer than any ELF header could ever be, it seems";
  const auto bytes = std::as_bytes(std::span(text));
  expect_refused({bytes.begin(), bytes.end()}, "is not an ELF file");
  expect_refused({bytes.begin(), bytes.begin() + 2}, "is not an ELF file");
}

struct Spoiled {
  const char* reason;
  std::function<void(ElfBuilder&)> spoil;
};

class SpoiledElf : public ::testing::TestWithParam<Spoiled> {};

TEST_P(SpoiledElf, IsRefusedWithTheReason) {
  ElfBuilder elf = usual_program();
  elf.header.e_phnum = 2;
  GetParam().spoil(elf);
  expect_refused(elf.build_as_is(), GetParam().reason);
}

const Spoiled spoiled[] = {
    {"ELF class 7", [](ElfBuilder& e) { e.header.e_ident[EI_CLASS] = 7; }},
    {"is not little-endian", [](ElfBuilder& e) { e.header.e_ident[EI_DATA] = ELFDATA2MSB; }},
    {"unknown ELF version", [](ElfBuilder& e) { e.header.e_ident[EI_VERSION] = 9; }},
    {"is for AArch64, this machine is x86-64", [](ElfBuilder& e) { e.header.e_machine = EM_AARCH64; }},
    {"is for 32-bit x86, this machine is x86-64", [](ElfBuilder& e) { e.header.e_machine = EM_386; }},
    {"is for another machine (ELF machine 4711)", [](ElfBuilder& e) { e.header.e_machine = 4711; }},
    {"x32", [](ElfBuilder& e) { e.header.e_ident[EI_CLASS] = ELFCLASS32; }},
    {"object file", [](ElfBuilder& e) { e.header.e_type = ET_REL; }},
    {"core dump", [](ElfBuilder& e) { e.header.e_type = ET_CORE; }},
    {"ELF type 99", [](ElfBuilder& e) { e.header.e_type = 99; }},
    {"program headers of 32 bytes", [](ElfBuilder& e) { e.header.e_phentsize = 32; }},
    {"no program headers", [](ElfBuilder& e) { e.header.e_phnum = 0; }},
    {"too many program headers", [](ElfBuilder& e) { e.header.e_phnum = 2000; }},
    {"truncated at byte 12288: program headers", [](ElfBuilder& e) { e.header.e_phnum = 300; }},
    {"truncated at byte 12288: program headers", [](ElfBuilder& e) { e.header.e_phoff = ~uint64_t{0}; }},
    {"nothing to load", [](ElfBuilder& e) { e.headers[0].p_type = e.headers[1].p_type = PT_NOTE; }},
    {"larger in the file", [](ElfBuilder& e) { e.headers[1].p_memsz = 0x10; }},
    {"beyond the address space", [](ElfBuilder& e) { e.headers[1].p_vaddr = 0xffff'8000'0000'0800; }},
    {"beyond the address space", [](ElfBuilder& e) { e.headers[1].p_memsz = ~uint64_t{0}; }},
    {"alignment 0x3000", [](ElfBuilder& e) { e.headers[1].p_align = 0x3000; }},
    {"alignment 0x8000000000000000", [](ElfBuilder& e) { e.headers[1].p_align = uint64_t{1} << 63; }},
    {"differ within a page", [](ElfBuilder& e) { e.headers[1].p_offset = 0x1801; }},
    {"truncated at byte 12288: segment 1", [](ElfBuilder& e) { e.headers[1].p_offset = 0x8800; }},
    {"truncated at byte 12288: segment 0",
     [](ElfBuilder& e) { e.headers[0].p_filesz = e.headers[0].p_memsz = 0x3001; }},
    {"overlaps or precedes", [](ElfBuilder& e) { e.headers[1].p_vaddr = 0x800; }},
    {"overlaps or precedes", [](ElfBuilder& e) { std::swap(e.headers[0], e.headers[1]); }},
    {"entry point", [](ElfBuilder& e) { e.header.e_entry = ~uint64_t{0}; }},
    {"interpreter of 0 bytes", [](ElfBuilder& e) { e.headers[1].p_type = PT_INTERP, e.headers[1].p_filesz = 0; }},
    {"interpreter of 5000 bytes", [](ElfBuilder& e) { e.headers[1].p_type = PT_INTERP, e.headers[1].p_filesz = 5000; }},
    {"interpreter beyond", [](ElfBuilder& e) { e.headers[1].p_type = PT_INTERP, e.headers[1].p_offset = 0x99999; }},
    {"truncated at byte 12288: the interpreter",
     [](ElfBuilder& e) { e.headers[1].p_type = PT_INTERP, e.headers[1].p_offset = 0x2ff0; }},
    {"interpreter with an empty name", [](ElfBuilder& e) { e.headers[1].p_type = PT_INTERP; }},
    {"without a final NUL",
     [](ElfBuilder& e) {
       e.interpreter(0x400, "/lib/ld").p_filesz = 7;
       e.header.e_phnum = 3;
     }},
};
INSTANTIATE_TEST_SUITE_P(Elf, SpoiledElf, ::testing::ValuesIn(spoiled));

TEST(Elf, EveryTruncationIsRefused) {
  const auto bytes = usual_program().build(0x1900);
  for (size_t size = 0; size < bytes.size(); ++size) {
    const auto program = parse_bytes({bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size)});
    ASSERT_FALSE(program) << size;
    EXPECT_EQ(program.error().error, Error(ENOEXEC));
  }
  EXPECT_TRUE(parse_bytes(bytes));
}

class FailingSource final : public Source {
 public:
  Result<size_t> read_at(uint64_t, std::span<std::byte>) override { return fail(EIO); }
  uint64_t size() const override { return 4096; }
};

TEST(Elf, PassesOnTheErrorsOfTheFile) {
  FailingSource source;
  const auto program = parse(source);
  ASSERT_FALSE(program);
  EXPECT_EQ(program.error().error, Error(EIO));
}

// What parse() lets through must keep the promises of Segment, whatever the bytes.
void check_promises(const Program& program, size_t file_size) {
  uint64_t end = 0;
  ASSERT_FALSE(program.segments.empty());
  for (const Segment& s : program.segments) {
    ASSERT_GE(s.address, end);
    ASSERT_GT(s.memory_size, 0u);
    ASSERT_LE(s.file_size, s.memory_size);
    ASSERT_LE(s.address + s.memory_size, address_limit);
    ASSERT_TRUE(s.file_size == 0 || s.file_offset + s.file_size <= file_size);
    end = s.address + s.memory_size;
  }
}

TEST(Elf, DamagedHeadersNeverBreakThePromises) {
  ElfBuilder elf = usual_program();
  elf.interpreter(0x400, "/lib64/ld.so");
  const auto right = elf.build();
  std::mt19937_64 random(1);
  for (int round = 0; round < 50000; ++round) {
    auto bytes = right;
    for (uint64_t i = 1 + random() % 4; i > 0; --i)
      bytes[16 + random() % 216] = random() % 3 == 0 ? std::byte{0xff} : static_cast<std::byte>(random());
    if (const auto program = parse_bytes(bytes)) check_promises(*program, bytes.size());
  }
}

}  // namespace
}  // namespace osp::load
