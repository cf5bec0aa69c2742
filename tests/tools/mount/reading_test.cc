#include "tools/mount/reading.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace osp::fuse {
namespace {

// Gives a few bytes at a time, and then perhaps an error.
class SlowFile final : public pip::File {
 public:
  Result<size_t> read(uint64_t offset, std::span<std::byte> into) override {
    if (offset >= fails_at) return fail(EIO);
    const size_t size = std::min({size_t{3}, into.size(), text.size() - std::min<size_t>(offset, text.size())});
    memcpy(into.data(), text.data() + offset, size);
    return size;
  }
  Result<size_t> write(uint64_t, std::span<const std::byte>) override { return fail(EBADF); }
  Result<pip::Attributes> stat() override { return fail(EBADF); }

  std::string text = "0123456789";
  uint64_t fails_at = UINT64_MAX;
};

TEST(ReadingTest, ShortReadsAreGoneOnWith) {
  SlowFile file;
  std::string bytes(8, '?');
  EXPECT_EQ(read_whole(file, 1, std::as_writable_bytes(std::span(bytes))), 8U);
  EXPECT_EQ(bytes, "12345678");
}

TEST(ReadingTest, OnlyTheEndIsShort) {
  SlowFile file;
  std::string bytes(100, '?');
  EXPECT_EQ(read_whole(file, 4, std::as_writable_bytes(std::span(bytes))), 6U);
  EXPECT_EQ(bytes.substr(0, 7), "456789?");
  EXPECT_EQ(read_whole(file, 10, std::as_writable_bytes(std::span(bytes))), 0U);
}

TEST(ReadingTest, AnErrorIsNotTheEnd) {
  SlowFile file;
  file.fails_at = 6;
  std::string bytes(100, '?');
  EXPECT_EQ(read_whole(file, 0, std::as_writable_bytes(std::span(bytes))).error().code, EIO);
}

}  // namespace
}  // namespace osp::fuse
