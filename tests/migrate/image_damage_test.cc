#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "image_fixture.h"

// A damaged image is refused, or reads the same; it never reads half or wrong, and never brings the reader down.
namespace osp::migrate {
namespace {

struct Case {
  Bytes image;
  test::Contents contents;
};

Case make_case(uint64_t seed) {
  std::mt19937_64 random(seed);
  WriterOptions options;
  options.frame_size = 4 * test::page;
  options.mappable = seed % 2 != 0;
  Case made{test::write_image(test::some_pages(random, 60), options), {}};
  auto contents = test::read_all(made.image);
  EXPECT_TRUE(contents);
  made.contents = std::move(*contents);
  return made;
}

// Whether `damaged` was refused; fails the test if it reads differently.
bool refused(const Case& good, const Bytes& damaged, const std::string& what) {
  const auto contents = test::read_all(damaged);
  if (contents) {
    EXPECT_TRUE(*contents == good.contents) << what;
    return false;
  }
  EXPECT_FALSE(contents.error().reason.empty() || contents.error().section.empty()) << what;
  return true;
}

bool belongs(const Manifest& manifest, uint32_t space, uint64_t offset) {
  if (space == manifest.objects[0].space) return offset < manifest.objects[0].size;
  const Process& process = manifest.processes[0];
  return space == process.space && std::ranges::any_of(process.areas, [&](const Area& area) {
           return offset >= area.start && offset < area.start + area.length;
         });
}

TEST(ImageDamage, EveryFlippedBitInHeaderTableAndTrailerIsRefused) {
  const Case good = make_case(1);
  const size_t end = good.image.size();
  for (size_t at = 0; at < end; at = at == 127 ? end - 192 : at + 1) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      Bytes damaged = good.image;
      damaged[at] ^= static_cast<std::byte>(1u << bit);
      ASSERT_TRUE(refused(good, damaged, "")) << "byte " << at << " bit " << bit;
    }
  }
}

// Every byte of the file is covered by a checksum or must be zero, so every flip is refused.
TEST(ImageDamage, FlipsAnywhereAreRefused) {
  for (uint64_t seed = 0; seed < 4; ++seed) {
    const Case good = make_case(seed);
    std::mt19937_64 random(seed);
    std::set<std::string> sections;
    for (int i = 0; i < 2000; ++i) {
      Bytes damaged = good.image;
      const size_t at = random() % damaged.size();
      damaged[at] ^= static_cast<std::byte>(1u << random() % 8);
      ASSERT_TRUE(refused(good, damaged, "")) << "seed " << seed << " byte " << at;
      sections.insert(test::read_all(damaged).error().section);
    }
    EXPECT_TRUE(sections.contains("pages") && sections.contains("manifest") && sections.contains("index"));
  }
}

TEST(ImageDamage, CutShortAnywhereIsRefused) {
  const Case good = make_case(2);
  std::mt19937_64 random(2);
  for (int i = 0; i < 2000; ++i) {
    const size_t size = i < 200 ? static_cast<size_t>(i) : random() % good.image.size();
    const Bytes damaged(good.image.begin(), good.image.begin() + static_cast<long>(size));
    ASSERT_TRUE(refused(good, damaged, "")) << "cut at " << size;
  }
}

TEST(ImageDamage, BytesAddedOrTakenAnywhereAreRefused) {
  const Case good = make_case(3);
  std::mt19937_64 random(3);
  for (int i = 0; i < 2000; ++i) {
    Bytes damaged = good.image;
    const auto at = damaged.begin() + static_cast<long>(random() % damaged.size());
    if (i % 2 == 0) {
      damaged.insert(at, random() % 64 + 1, std::byte{0});
    } else {
      damaged.erase(at, std::min(damaged.end(), at + static_cast<long>(random() % 64 + 1)));
    }
    ASSERT_TRUE(refused(good, damaged, "")) << i;
  }
}

TEST(ImageDamage, BlocksOverwrittenOrSwappedAreRefusedOrReadTheSame) {
  const Case good = make_case(4);
  std::mt19937_64 random(4);
  constexpr size_t block = 512;
  for (int i = 0; i < 2000; ++i) {
    Bytes damaged = good.image;
    const size_t from = random() % (damaged.size() - block), to = random() % (damaged.size() - block);
    std::memmove(damaged.data() + to, damaged.data() + from, block);
    refused(good, damaged, fmt::format("{} copied to {}", from, to));
  }
}

// Damage whose checksums are made right again gets to the checks of the index's sense.
TEST(ImageDamage, ForgedIndexRecordsAreRefusedOrLeadToPagesOfTheManifest) {
  for (uint64_t seed = 0; seed < 2; ++seed) {
    const Case good = make_case(seed);
    const auto reader = test::open_bytes(good.image);
    ASSERT_TRUE(reader);
    const format::SectionEntry pages = reader->sections()[1];
    std::mt19937_64 random(seed);
    for (int i = 0; i < 4000; ++i) {
      Bytes forged = good.image;
      format::IndexBlock block;
      std::byte* const at = forged.data() + pages.last_index_block;
      std::memcpy(&block, at, sizeof block);
      const size_t field = random() % (block.size / 4) * 4;
      const auto value = static_cast<uint32_t>(random() >> random() % 64);
      std::memcpy(at + sizeof block + field, &value, sizeof value);
      test::seal(forged);
      const auto contents = test::read_all(forged);
      if (contents) {
        ASSERT_EQ(contents->manifest, good.contents.manifest);
        for (const auto& [place, page] : contents->pages)
          ASSERT_TRUE(belongs(contents->manifest, place.first, place.second)) << place.first << ' ' << place.second;
      }
    }
  }
}

}  // namespace
}  // namespace osp::migrate
