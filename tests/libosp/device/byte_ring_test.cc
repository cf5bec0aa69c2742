#include "libosp/device/byte_ring.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace osp::device {
namespace {

size_t put(ByteRing& ring, std::string_view text) { return ring.put(std::as_bytes(std::span(text))); }
std::string take(ByteRing& ring, size_t most) {
  std::string text(most, '\0');
  text.resize(ring.take(std::as_writable_bytes(std::span(text))));
  return text;
}

TEST(ByteRing, TakesWhatItHasRoomFor) {
  ByteRing ring(4);
  EXPECT_EQ(put(ring, "abcdef"), 4U);
  EXPECT_EQ(ring.room(), 0U);
  EXPECT_TRUE(ring.space().empty());
  EXPECT_EQ(take(ring, 2), "ab");
  EXPECT_EQ(put(ring, "xyz"), 2U);  // around the end
  EXPECT_EQ(take(ring, 9), "cdxy");
  EXPECT_TRUE(ring.empty());
}

TEST(ByteRing, FrontCanBeLookedAtPieceByPiece) {
  ByteRing ring(4);
  put(ring, "abc");
  take(ring, 2);
  put(ring, "def");
  EXPECT_EQ(ring.front().size(), 2U);
  EXPECT_EQ(ring.front(2).size(), 2U);
  EXPECT_EQ(static_cast<char>(ring.front(2)[0]), 'e');
  EXPECT_TRUE(ring.front(4).empty());
  EXPECT_EQ(ring.size(), 4U);
}

TEST(ByteRing, KeepsItsBytesWhenResized) {
  ByteRing ring(4);
  put(ring, "abcd");
  take(ring, 3);
  put(ring, "ef");
  EXPECT_FALSE(ring.resize(2));
  EXPECT_TRUE(ring.resize(8));
  EXPECT_EQ(put(ring, "123456"), 5U);
  EXPECT_EQ(take(ring, 9), "def12345");
}

TEST(ByteRing, BytesComeOutAsTheyWentIn) {
  std::mt19937 random(1);
  ByteRing ring(37);
  std::string expected;
  char next = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string text(random() % 50, '\0');
    for (char& c : text) c = next++;
    const size_t taken = put(ring, text);
    expected += text.substr(0, taken);
    next = static_cast<char>(next - static_cast<char>(text.size() - taken));
    const std::string got = take(ring, random() % 50);
    ASSERT_EQ(got, expected.substr(0, got.size()));
    expected.erase(0, got.size());
    ASSERT_EQ(ring.size(), expected.size());
  }
}

}  // namespace
}  // namespace osp::device
