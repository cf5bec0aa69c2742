#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "migrate/frame_codec.h"
#include "migrate/image_error.h"
#include "migrate/image_format.h"
#include "migrate/manifest.h"
#include "migrate/page_index.h"
#include "migrate/source.h"

namespace osp::migrate {

// An image that was found to be whole and sensible, except for the contents of its frames, which are checked as
// they are read. Immutable: several FrameLoaders may read from one at the same time.
class ImageReader {
 public:
  // Reads and checks header, trailer, section table, manifest (its bytes and, by validate.h, its sense), and the
  // whole page index. Takes the source over. Refuses with the section and reason; creates nothing.
  static ImageResult<ImageReader> open(std::unique_ptr<Source> source);
  static ImageResult<ImageReader> open_file(const std::string& path);

  [[nodiscard]] const format::Header& header() const { return header_; }
  [[nodiscard]] std::span<const format::SectionEntry> sections() const { return sections_; }
  [[nodiscard]] const Manifest& manifest() const { return manifest_; }
  [[nodiscard]] const PageIndex& index() const { return index_; }
  [[nodiscard]] const Digest& digest() const { return digest_; }  // names the image
  [[nodiscard]] std::optional<Digest> parent() const;             // whose pages this one's are an increment to
  [[nodiscard]] bool mappable() const { return (header_.optional_features & format::feature_mappable) != 0; }
  [[nodiscard]] uint64_t file_size() const { return source_->size(); }
  [[nodiscard]] Source& source() const { return *source_; }

 private:
  ImageReader() = default;
  ImageResult<void> read_piece(const char* section, uint64_t offset, std::span<std::byte> into) const;
  ImageResult<void> read_header();
  ImageResult<format::Trailer> read_trailer();
  ImageResult<void> read_sections();
  ImageResult<void> check_layout(const format::Trailer& trailer) const;
  ImageResult<void> check_hash(const format::SectionEntry& section) const;
  ImageResult<void> read_manifest(const format::SectionEntry& section);

  std::unique_ptr<Source> source_;
  format::Header header_;
  std::vector<format::SectionEntry> sections_;
  Digest digest_{};
  Manifest manifest_;
  PageIndex index_;
};

// Where a restore wants pages.
class PageTarget {
 public:
  virtual ~PageTarget() = default;
  // The run.size() writable bytes for the pages of `run`, or null: not these. `zero`: they are all zero, so fresh
  // anonymous memory may answer null.
  virtual std::byte* place(const Run& run, bool zero) = 0;
};

// Reads frames of one image, one at a time; each worker has its own. Uses up to 2 MiB.
class FrameLoader {
 public:
  static Result<FrameLoader> create(const ImageReader& image);  // ENOMEM. The image must outlive it.

  // The pages of a frame, checked; empty for a frame of zero pages. Valid until the next call.
  // Refused (section "pages"): wrong checksum, damaged contents, unreadable.
  ImageResult<std::span<const std::byte>> read(const Frame& frame);

  // Reads a frame and puts each of its runs where `target` says. Nothing is put anywhere from a damaged frame.
  ImageResult<void> load(const Frame& frame, PageTarget& target);

 private:
  FrameLoader(const ImageReader& image, FrameDecoder decoder);

  const ImageReader* image_;
  FrameDecoder decoder_;
  std::vector<std::byte> stored_;
  std::vector<std::byte> raw_;
};

}  // namespace osp::migrate
