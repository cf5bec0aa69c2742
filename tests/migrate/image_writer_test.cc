#include "migrate/image_writer.h"

#include <gtest/gtest.h>

#include "image_fixture.h"

namespace osp::migrate {
namespace {

using test::MemorySink;
using test::page;

TEST(ImageWriter, HeaderIsTheseBytes) {
  WriterOptions options;
  options.created_ns = 0x0102030405060708;
  options.mappable = true;
  options.parent = Digest{std::byte{0xaa}, std::byte{0xbb}};
  const Bytes image = test::write_image({}, options);
  Bytes expected(128);
  const auto put = [&](size_t at, std::initializer_list<unsigned> bytes) {
    for (const unsigned byte : bytes) expected[at++] = static_cast<std::byte>(byte);
  };
  put(0, {0x89, 'O', 'S', 'P', 'I', 'M', 'G', 0x0a});
  put(8, {1, 0, 0, 0, 128, 0, 0, 0});                          // version 1.0, header size
  put(16, {0, 0x10, 0, 0, 0, 0, 0, 0});                        // page size, required features
  put(24, {1, 0, 0, 0, 0, 0, 4, 0});                           // optional features: mappable; frames of 256 KiB
  put(32, {8, 7, 6, 5, 4, 3, 2, 1});                           // created
  put(40, {1, 0, 0, 0, 0, 0, 0, 0, 0xaa, 0xbb});               // parent by digest
  put(120, {0x2f, 0xaa, 0x7d, 0x4e, 0x0e, 0xac, 0x4b, 0xd2});  // XXH3-64, by libxxhash
  EXPECT_EQ(Bytes(image.begin(), image.begin() + 128), expected);
}

TEST(ImageWriter, TrailerIsWhereTheFormatSays) {
  const Bytes image = test::write_image({});
  EXPECT_EQ(std::memcmp(image.data() + image.size() - 8, "OSPEND\r\n", 8), 0);
  uint64_t size = 0;
  std::memcpy(&size, image.data() + image.size() - 64 + 16, 8);
  EXPECT_EQ(size, image.size());
}

TEST(ImageWriter, SamePagesGiveTheSameImage) {
  std::mt19937_64 random(3);
  const auto pages = test::some_pages(random, 300);
  EXPECT_EQ(test::write_image(pages), test::write_image(pages));
}

TEST(ImageWriter, ZeroPagesTakeNoRoom) {
  Bytes with, without;
  for (Bytes* bytes : {&with, &without}) {
    auto writer = ImageWriter::create(std::make_unique<MemorySink>(*bytes), {});
    ASSERT_TRUE(writer && writer->write_manifest(test::small_manifest()));
    const Bytes zeros(1000 * page);
    if (bytes == &with) {
      ASSERT_TRUE(writer->add_pages(1, 0x5555'0000'0000, zeros));
    }
    ASSERT_TRUE(writer->finish());
  }
  EXPECT_EQ(with.size(), without.size() + 40 + 32 + 16);  // an index block, a frame, a run
}

TEST(ImageWriter, CallsOutOfOrderAreRefused) {
  Bytes bytes;
  const Bytes contents(page);
  auto writer = ImageWriter::create(std::make_unique<MemorySink>(bytes), {});
  ASSERT_TRUE(writer);
  EXPECT_EQ(writer->add_pages(1, 0, contents).error(), Error(EINVAL));
  EXPECT_EQ(writer->finish().error(), Error(EINVAL));
  ASSERT_TRUE(writer->write_manifest(test::small_manifest()));
  EXPECT_EQ(writer->write_manifest(test::small_manifest()).error(), Error(EINVAL));
  EXPECT_EQ(writer->add_pages(1, 100, contents).error(), Error(EINVAL));
  EXPECT_EQ(writer->add_pages(1, 0, std::span(contents).first(100)).error(), Error(EINVAL));
  EXPECT_EQ(writer->add_pages(1, uint64_t{1} << 47, contents).error(), Error(EINVAL));
  ASSERT_TRUE(writer->finish());
  EXPECT_EQ(writer->add_pages(1, 0, contents).error(), Error(EINVAL));
}

TEST(ImageWriter, BadOptionsAreRefused) {
  Bytes bytes;
  for (const uint32_t size : {0u, 100u, 4097u, 2u << 20})
    EXPECT_EQ(ImageWriter::create(std::make_unique<MemorySink>(bytes), {.frame_size = size}).error(), Error(EINVAL));
  EXPECT_TRUE(bytes.empty());
}

// Wherever the sink fails, the writer says so, says so again, and never commits.
TEST(ImageWriter, AFullSinkIsReportedAndNothingCommitted) {
  std::mt19937_64 random(4);
  const auto pages = test::some_pages(random, 200);
  const size_t whole = test::write_image(pages).size();
  for (size_t room = 0; room < whole; room += whole / 97 + 1) {
    Bytes bytes;
    bool committed = false;
    auto writer = ImageWriter::create(std::make_unique<MemorySink>(bytes, &committed, room), {});
    if (!writer) continue;
    (void)writer->write_manifest(test::small_manifest());
    for (const auto& [place, contents] : pages) (void)writer->add_pages(place.first, place.second, contents);
    EXPECT_FALSE(writer->finish());
    EXPECT_FALSE(writer->finish());
    EXPECT_FALSE(committed);
  }
}

}  // namespace
}  // namespace osp::migrate
