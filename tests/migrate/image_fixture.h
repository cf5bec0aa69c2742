#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "migrate/image_reader.h"
#include "migrate/image_writer.h"
#include "migrate/sink.h"

// What several tests of images share: a sink in memory, a valid small manifest, and pages to put in an image.
namespace osp::migrate::test {

inline constexpr size_t page = 4096;

// Appends to `bytes`, which the test keeps. After `room` bytes every write fails with ENOSPC.
class MemorySink final : public Sink {
 public:
  explicit MemorySink(Bytes& bytes, bool* committed = nullptr, size_t room = SIZE_MAX)
      : bytes_(bytes), committed_(committed), room_(room) {}
  Result<void> write(std::span<const std::byte> bytes) override;
  Result<void> commit() override;

 private:
  Bytes& bytes_;
  bool* committed_;
  size_t room_;
};

// One process with one thread, all kinds of areas, an unlinked file and a few descriptors; valid.
Manifest small_manifest();

// Pages by (space, offset); `small_manifest` has room for those of some_pages().
using Pages = std::map<std::pair<uint32_t, uint64_t>, Bytes>;
Pages some_pages(std::mt19937_64& random, size_t count);

// Writes an image of small_manifest() and `pages`; asserts that it works.
Bytes write_image(const Pages& pages, const WriterOptions& options = {});
ImageResult<ImageReader> open_bytes(std::span<const std::byte> bytes);

// Everything in an image, with every frame checked.
struct Contents {
  Manifest manifest;
  Pages pages;
  friend bool operator==(const Contents&, const Contents&) = default;
};
ImageResult<Contents> read_all(std::span<const std::byte> bytes);

// Makes every checksum of an image with one index block right again, as a forger would.
void seal(Bytes& image);

}  // namespace osp::migrate::test
