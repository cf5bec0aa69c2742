#include "libosp/load/stack.h"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>

namespace osp::load {
namespace {

using ::testing::ElementsAre;

constexpr uint64_t top = 0x7fff'0000'0000;

// Reads the image as a program would.
class Reader {
 public:
  explicit Reader(const StackImage& image) : image_(image) {
    at_ = image.stack_pointer;
    argc = word();
    while (const uint64_t pointer = word()) argv.push_back(string(pointer));
    while (const uint64_t pointer = word()) envp.push_back(string(pointer));
    auxv_start = at_;
    for (uint64_t type = word(); type != AT_NULL; type = word()) auxv[type] = word();
    word();
    auxv_end = at_;
  }

  uint64_t word() {
    uint64_t value = 0;
    std::memcpy(&value, image_.bytes.data() + (at_ - image_.stack_pointer), sizeof value);
    at_ += sizeof value;
    return value;
  }
  const char* string(uint64_t address) const {
    EXPECT_GE(address, image_.stack_pointer);
    EXPECT_LT(address, top);
    return reinterpret_cast<const char*>(image_.bytes.data() + (address - image_.stack_pointer));
  }

  uint64_t argc = 0, auxv_start = 0, auxv_end = 0;
  std::vector<std::string> argv, envp;
  std::map<uint64_t, uint64_t> auxv;

 private:
  const StackImage& image_;
  uint64_t at_ = 0;
};

TEST(Stack, HoldsArgumentsEnvironmentAndAuxiliaryVector) {
  const std::vector<std::string> argv = {"prog", "", "x y"}, envp = {"A=1", "PATH=/bin"};
  StackInput input{.argv = argv, .envp = envp, .execfn = "/bin/prog", .top = top};
  for (size_t i = 0; i < input.random.size(); ++i) input.random[i] = static_cast<std::byte>(i);
  input.vdso = 0x1000, input.phdr_address = 0x40, input.phdr_count = 9, input.interpreter_base = 0x5000;
  input.entry = 0x6000, input.uid = 1, input.euid = 2, input.gid = 3, input.egid = 4;
  input.hwcap = 0x178bfbff, input.hwcap2 = 2, input.minsigstksz = 3376;
  const auto image = build_stack(input);
  ASSERT_TRUE(image);
  EXPECT_EQ(image->stack_pointer % 16, 0u);
  EXPECT_EQ(image->stack_pointer + image->bytes.size(), top);
  Reader reader(*image);
  EXPECT_EQ(reader.argc, 3u);
  EXPECT_EQ(reader.argv, argv);
  EXPECT_EQ(reader.envp, envp);
  const std::map<uint64_t, uint64_t> words = {
      {AT_SYSINFO_EHDR, 0x1000}, {AT_PHDR, 0x40}, {AT_PHENT, 56},    {AT_PHNUM, 9},  {AT_BASE, 0x5000},
      {AT_ENTRY, 0x6000},        {AT_UID, 1},     {AT_EUID, 2},      {AT_GID, 3},    {AT_EGID, 4},
      {AT_HWCAP, 0x178bfbff},    {AT_HWCAP2, 2},  {AT_PAGESZ, 4096}, {AT_SECURE, 0}, {AT_FLAGS, 0},
      {AT_CLKTCK, 100},          {51, 3376},
  };
  for (const auto& [type, value] : words) EXPECT_EQ(reader.auxv.at(type), value) << type;
  EXPECT_STREQ(reader.string(reader.auxv.at(AT_EXECFN)), "/bin/prog");
  EXPECT_STREQ(reader.string(reader.auxv.at(AT_PLATFORM)), "x86_64");
  EXPECT_EQ(std::memcmp(reader.string(reader.auxv.at(AT_RANDOM)), input.random.data(), 16), 0);
  EXPECT_EQ(reader.auxv.size(), words.size() + 3);
  EXPECT_EQ(image->auxv_start, reader.auxv_start);
  EXPECT_EQ(image->auxv_end, reader.auxv_end);
}

// As ps(1) and setproctitle() expect: strings in order, without gaps, the environment right after.
TEST(Stack, StringsAreContiguous) {
  const std::vector<std::string> argv = {"a", "bc"}, envp = {"D=e"};
  const auto image = build_stack({.argv = argv, .envp = envp, .execfn = "f", .top = top});
  ASSERT_TRUE(image);
  const auto text = [&](uint64_t from, uint64_t to) {
    return std::string(reinterpret_cast<const char*>(image->bytes.data()) + (from - image->stack_pointer), to - from);
  };
  EXPECT_EQ(text(image->argv_start, image->argv_end), std::string("a\0bc\0", 5));
  EXPECT_EQ(text(image->envp_start, image->envp_end), std::string("D=e\0", 4));
  EXPECT_EQ(text(image->envp_end, top), std::string("f\0\0\0\0\0\0\0\0\0", 10));
}

TEST(Stack, IsAlignedForAnyCountOfStrings) {
  for (size_t count = 0; count < 40; ++count) {
    const std::vector<std::string> argv(count, std::string(count, 'x')), envp(count / 3, "E=");
    const auto image = build_stack({.argv = argv, .envp = envp, .execfn = "p", .top = top});
    ASSERT_TRUE(image);
    EXPECT_EQ(image->stack_pointer % 16, 0u);
    Reader reader(*image);
    EXPECT_EQ(reader.argc, std::max<size_t>(count, 1));
    EXPECT_EQ(reader.argv.size(), reader.argc);
    EXPECT_EQ(reader.envp, envp);
  }
}

TEST(Stack, RefusesTooMuchAsExecveDoes) {
  const auto build = [](const std::vector<std::string>& argv, uint64_t limit) {
    return build_stack({.argv = argv, .envp = {}, .execfn = "p", .top = top, .stack_limit = limit});
  };
  EXPECT_TRUE(build({std::string(max_string_size - 1, 'x')}, 8 << 20));
  EXPECT_EQ(build({std::string(max_string_size, 'x')}, 8 << 20).error(), Error(E2BIG));
  const std::vector<std::string> two_mib(20, std::string(100'000, 'x'));
  EXPECT_TRUE(build(two_mib, 8 << 20));
  EXPECT_EQ(build(two_mib, 4 << 20).error(), Error(E2BIG));
  EXPECT_EQ(build(std::vector<std::string>(300'000, ""), 8 << 20).error(), Error(E2BIG));  // the pointers count
  EXPECT_TRUE(build(std::vector<std::string>(100, std::string(1000, 'x')), 4096));         // 128 KiB are always allowed
  EXPECT_EQ(build(std::vector<std::string>(70, std::string(100'000, 'x')), ~uint64_t{0}).error(), Error(E2BIG));
  EXPECT_EQ(build_stack({.argv = {}, .envp = {}, .execfn = "p", .top = top + 8}).error(), Error(EINVAL));
}

}  // namespace
}  // namespace osp::load
