#include "libosp/device/unix_address.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>

namespace osp::device {
namespace {

constexpr size_t header = offsetof(sockaddr_un, sun_path);

Result<UnixAddress> parse(std::string_view path, size_t size, sa_family_t family = AF_UNIX) {
  sockaddr_un in = {};
  in.sun_family = family;
  std::memcpy(in.sun_path, path.data(), path.size());
  return UnixAddress::parse({reinterpret_cast<const std::byte*>(&in), size});
}

TEST(UnixAddress, APathEndsWhereItEnds) {
  const auto whole = parse("/tmp/s", header + 7), without_end = parse("/tmp/s", header + 6),
             too_long = parse("/tmp/s", sizeof(sockaddr_un));
  for (const auto& address : {whole, without_end, too_long}) {
    ASSERT_TRUE(address);
    EXPECT_TRUE(address->is_path());
    EXPECT_EQ(address->name, "/tmp/s");
  }
}

TEST(UnixAddress, AnAbstractNameHasAllItsBytes) {
  const auto address = parse(std::string_view("\0a\0b", 4), header + 5);
  ASSERT_TRUE(address);
  EXPECT_TRUE(address->is_abstract());
  EXPECT_EQ(address->name, std::string_view("\0a\0b\0", 5));
}

TEST(UnixAddress, NoNameAndNoAddress) {
  EXPECT_TRUE(parse("", header)->is_unnamed());
  EXPECT_EQ(parse("", 1).error().code, EINVAL);
  EXPECT_EQ(parse("", sizeof(sockaddr_un) + 1).error().code, EINVAL);
  EXPECT_EQ(parse("", header, AF_INET).error().code, EINVAL);
}

TEST(UnixAddress, IsWrittenAsItWasRead) {
  sockaddr_un out;
  EXPECT_EQ(UnixAddress().format(out), header);
  EXPECT_EQ(UnixAddress{"/a"}.format(out), header + 3);
  EXPECT_STREQ(out.sun_path, "/a");
  const UnixAddress abstract = {std::string("\0xy", 3)};
  EXPECT_EQ(abstract.format(out), header + 3);
  EXPECT_EQ(UnixAddress::parse({reinterpret_cast<const std::byte*>(&out), header + 3})->name, abstract.name);
  const UnixAddress longest = {std::string(sizeof out.sun_path, 'x')};
  EXPECT_EQ(longest.format(out), sizeof out + 1);  // as Linux: the NUL counts where it has no room
}

}  // namespace
}  // namespace osp::device
