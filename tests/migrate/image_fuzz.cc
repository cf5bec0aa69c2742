#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>

#include "image_fixture.h"
#include "migrate/manifest_codec.h"
#include "migrate/validate.h"

// The first byte chooses what the rest is: a whole file; the records of an index block in an image whose checksums
// are right (they would keep a mutator out); or a manifest.
namespace osp::migrate {
namespace {

void fuzz_index(std::span<const std::byte> records) {
  static const Bytes good = [] {
    std::mt19937_64 random(1);
    return test::write_image(test::some_pages(random, 40), {.frame_size = 4 * test::page});
  }();
  static const uint64_t block_offset = test::open_bytes(good)->sections()[1].last_index_block;
  Bytes forged = good;
  format::IndexBlock block;
  std::memcpy(&block, forged.data() + block_offset, sizeof block);
  const auto part = records.first(std::min<size_t>(records.size(), block.size));
  std::ranges::copy(part, forged.begin() + static_cast<long>(block_offset + sizeof block));
  test::seal(forged);
  (void)test::read_all(forged);
}

void fuzz_manifest(std::span<const std::byte> bytes) {
  const auto manifest = decode(bytes);
  if (!manifest) return;
  (void)validate(*manifest);
  const auto again = encode(*manifest);
  if (!again || decode(*again) != *manifest) __builtin_trap();
}

}  // namespace
}  // namespace osp::migrate

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto rest = std::as_bytes(std::span(data, size)).subspan(1);
  switch (data[0] % 3) {
    case 0:
      (void)osp::migrate::test::read_all(rest);
      break;
    case 1:
      osp::migrate::fuzz_index(rest);
      break;
    default:
      osp::migrate::fuzz_manifest(rest);
  }
  return 0;
}
