#include "migrate/image_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <functional>

#include "image_fixture.h"
#include "migrate/file_sink.h"
#include "migrate/validate.h"

namespace osp::migrate {
namespace {

using test::page;
using test::Pages;

TEST(ImageReader, EverythingComesBack) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    std::mt19937_64 random(seed);
    const Pages pages = test::some_pages(random, random() % 600);
    WriterOptions options;
    options.level = static_cast<int>(random() % 4);
    options.frame_size = static_cast<uint32_t>((random() % 256 + 1) * page);
    options.mappable = random() % 2 != 0;
    const auto contents = test::read_all(test::write_image(pages, options));
    ASSERT_TRUE(contents) << "seed " << seed << ": " << contents.error().section << ": " << contents.error().reason;
    ASSERT_EQ(contents->pages, pages) << "seed " << seed;
    ASSERT_EQ(contents->manifest, test::small_manifest());
  }
}

// Many runs of one page each: several index blocks.
TEST(ImageReader, ScatteredPagesNeedSeveralIndexBlocks) {
  Manifest manifest = test::small_manifest();
  manifest.processes[0].areas = {{.start = 0x1000'0000, .length = 20000 * 2 * page, .protection = 3}};
  Bytes image;
  auto writer = ImageWriter::create(std::make_unique<test::MemorySink>(image), {});
  ASSERT_TRUE(writer && writer->write_manifest(manifest));
  Bytes contents(page);
  for (uint64_t i = 0; i < 20000; ++i) {
    std::memcpy(contents.data(), &i, sizeof i);  // the first is a zero page
    ASSERT_TRUE(writer->add_pages(1, 0x1000'0000 + i * 2 * page, contents));
  }
  ASSERT_TRUE(writer->finish());
  const auto reader = test::open_bytes(image);
  ASSERT_TRUE(reader) << reader.error().reason;
  EXPECT_EQ(reader->index().runs().size(), 20000u);
  const auto read = test::read_all(image);
  ASSERT_TRUE(read);
  for (uint64_t i = 0; i < 20000; ++i)
    ASSERT_EQ(std::memcmp(read->pages.at({1, 0x1000'0000 + i * 2 * page}).data(), &i, sizeof i), 0);
}

TEST(ImageReader, FindsThePageOfAnAddress) {
  std::mt19937_64 random(9);
  const Pages pages = test::some_pages(random, 300);
  const Bytes image = test::write_image(pages);
  const auto reader = test::open_bytes(image);
  ASSERT_TRUE(reader);
  auto loader = FrameLoader::create(*reader);
  for (const auto& [place, contents] : pages) {
    const migrate::Run* run = reader->index().find(place.first, place.second);
    ASSERT_NE(run, nullptr);
    const auto raw = loader->read(reader->index().frames()[run->frame]);
    ASSERT_TRUE(raw);
    if (raw->empty()) {
      EXPECT_EQ(contents, Bytes(page));
    } else {
      EXPECT_TRUE(std::ranges::equal(raw->subspan(run->frame_offset + (place.second - run->offset), page), contents));
    }
    if (!pages.contains({place.first, place.second + page})) {
      EXPECT_EQ(reader->index().find(place.first, place.second + page), nullptr);
    }
  }
  EXPECT_EQ(reader->index().find(99, 0), nullptr);
}

class MapTarget final : public PageTarget {
 public:
  std::byte* place(const migrate::Run& run, bool zero) override {
    if (run.space != 2 || zero) return nullptr;
    Bytes& bytes = placed[run.offset];
    bytes.resize(run.size());
    return bytes.data();
  }
  std::map<uint64_t, Bytes> placed;
};

TEST(ImageReader, LoadsOnlyWhatTheTargetWants) {
  std::mt19937_64 random(10);
  const Pages pages = test::some_pages(random, 300);
  const Bytes image = test::write_image(pages);
  const auto reader = test::open_bytes(image);
  ASSERT_TRUE(reader);
  auto loader = FrameLoader::create(*reader);
  MapTarget target;
  for (const Frame& frame : reader->index().frames()) ASSERT_TRUE(loader->load(frame, target));
  size_t count = 0;
  for (const auto& [offset, bytes] : target.placed) {
    for (size_t at = 0; at < bytes.size(); at += page, ++count)
      EXPECT_TRUE(std::ranges::equal(std::span(bytes).subspan(at, page), pages.at({2, offset + at})));
  }
  const auto wanted = [](const auto& entry) { return entry.first.first == 2 && entry.second != Bytes(page); };
  EXPECT_EQ(count, static_cast<size_t>(std::ranges::count_if(pages, wanted)));
}

TEST(ImageReader, FramesOfAMappableImageLieAtPageBoundaries) {
  std::mt19937_64 random(11);
  const Bytes image = test::write_image(test::some_pages(random, 300), {.frame_size = 8 * page, .mappable = true});
  const auto reader = test::open_bytes(image);
  ASSERT_TRUE(reader) << reader.error().reason;
  EXPECT_TRUE(reader->mappable());
  for (const Frame& frame : reader->index().frames()) {
    EXPECT_EQ(frame.offset % page, 0u);
    EXPECT_NE(frame.codec, format::Codec::zstd);
  }
}

TEST(ImageReader, KnowsItsParentAndItsOwnName) {
  Bytes bytes;
  auto writer = ImageWriter::create(std::make_unique<test::MemorySink>(bytes), {});
  ASSERT_TRUE(writer && writer->write_manifest(test::small_manifest()));
  const auto digest = writer->finish();
  ASSERT_TRUE(digest);
  EXPECT_EQ(test::open_bytes(bytes)->digest(), *digest);
  EXPECT_FALSE(test::open_bytes(bytes)->parent());
  EXPECT_EQ(test::open_bytes(test::write_image({}, {.parent = *digest}))->parent(), digest);
}

TEST(ImageReader, APageGivenTwiceIsRefused) {
  Bytes image;
  auto writer = ImageWriter::create(std::make_unique<test::MemorySink>(image), {});
  ASSERT_TRUE(writer && writer->write_manifest(test::small_manifest()));
  const Bytes contents(page, std::byte{1});
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(writer->add_pages(1, 0x5555'0000'0000, contents));
  ASSERT_TRUE(writer->finish());
  EXPECT_EQ(test::open_bytes(image).error(),
            (ImageError{"index", "a page is there twice", test::open_bytes(image).error().offset}));
}

TEST(ImageReader, PagesThatBelongToNothingAreRefused) {
  const std::array<std::pair<uint32_t, uint64_t>, 4> strays = {
      {{1, 0x4000'0000}, {1, 0x5555'0000'0000 + 4096 * page}, {2, 4096 * page}, {3, 0}}};
  for (const auto& [space, offset] : strays) {
    const auto reader = test::open_bytes(test::write_image({{{space, offset}, Bytes(page, std::byte{1})}}));
    ASSERT_FALSE(reader);
    EXPECT_EQ(reader.error().section, "index");
    EXPECT_NE(reader.error().reason.find("belong to nothing"), std::string::npos);
  }
}

TEST(ImageReader, SaysWhatAForeignFileIs) {
  const auto reason = [](std::string_view text) {
    return test::open_bytes(std::as_bytes(std::span(text))).error().reason;
  };
  EXPECT_EQ(reason(""), "this is not an Osprey image");
  EXPECT_EQ(reason("#!/bin/sh\necho hello\n"), "this is not an Osprey image");
  EXPECT_EQ(ImageReader::open_file("/nowhere/at/all").error().reason, "No such file or directory");
  EXPECT_EQ(ImageReader::open_file("/dev/null").error().reason, "not a regular file");
}

// Changes the header of an image, with its checksum made right.
Bytes with_header(Bytes image, const std::function<void(format::Header&)>& change) {
  format::Header header;
  std::memcpy(&header, image.data(), sizeof header);
  change(header);
  header.checksum = format::checksum_of(header);
  std::memcpy(image.data(), &header, sizeof header);
  return image;
}

TEST(ImageReader, VersionsAndFeaturesItDoesNotKnowAreRefusedByName) {
  const Bytes image = test::write_image({});
  const auto reason = [&](const std::function<void(format::Header&)>& change) {
    return test::open_bytes(with_header(image, change)).error().reason;
  };
  EXPECT_EQ(reason([](auto& header) { header.major = 2; }), "format version 2.0; this is for version 1");
  EXPECT_EQ(reason([](auto& header) { header.required_features = 4; }), "needs features 0x4, which this version lacks");
  EXPECT_EQ(reason([](auto& header) { header.page_size = 16384; }), "made for pages of 16384 bytes");
  EXPECT_EQ(reason([](auto& header) { header.parent_kind = 9; }), "it names its parent in an unknown way");
}

TEST(ImageReader, ReadsAFile) {
  const std::string path = testing::TempDir() + "osp-image-reader-test.osp";
  auto sink = FileSink::create(path);
  ASSERT_TRUE(sink);
  auto writer = ImageWriter::create(std::move(*sink), {});
  ASSERT_TRUE(writer && writer->write_manifest(test::small_manifest()));
  ASSERT_TRUE(writer->add_pages(1, 0x5555'0000'0000, Bytes(page, std::byte{9})));
  ASSERT_TRUE(writer->finish());
  const auto reader = ImageReader::open_file(path);
  ASSERT_TRUE(reader) << reader.error().reason;
  EXPECT_EQ(reader->manifest(), test::small_manifest());
  std::remove(path.c_str());
}

}  // namespace
}  // namespace osp::migrate
