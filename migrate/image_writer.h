#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "migrate/frame_codec.h"
#include "migrate/image_format.h"
#include "migrate/index_builder.h"
#include "migrate/manifest.h"
#include "migrate/sink.h"

namespace osp::migrate {

struct WriterOptions {
  int level = 1;                     // zstd's; 0: raw
  uint32_t frame_size = 256u << 10;  // bytes of pages a frame holds at most: a multiple of the page, up to 1 MiB
  bool mappable = false;             // raw frames at page boundaries of the file, so that a restore can map them
  int64_t created_ns = 0;            // real time
  std::optional<Digest> parent{};    // the image that this one is an increment to
};

// Writes one image, front to back: create(), write_manifest(), add_pages()…, finish(). Its memory does not grow
// with the image (about 1.5 MiB at level 1). After an error every call fails with it again, and nothing appears
// under the image's name. No threads, no exceptions; blocks as the sink does; not for signal handlers.
class ImageWriter {
 public:
  // Takes the sink over and writes the header. EINVAL: a bad option; ENOMEM; errors of the sink.
  static Result<ImageWriter> create(std::unique_ptr<Sink> sink, const WriterOptions& options);

  // The manifest section. Once, first. E2BIG, ENOMEM; EINVAL: out of order.
  Result<void> write_manifest(const Manifest& manifest);

  // The pages of `pages` lie at `offset` of page space `space` (Process::space: at that address;
  // MemoryObject::space: at that place of the object). They are read once, during this call; zero pages cost only
  // their place in the index. A page that is not given is, when restored, what it would be without the image: zero
  // for anonymous memory, the file's for a file, the parent's in an increment. No page may be given twice (the
  // reader refuses such an image). Ascending order makes the smallest index.
  // EINVAL: not whole pages, beyond 2^47, or out of order.
  Result<void> add_pages(uint32_t space, uint64_t offset, std::span<const std::byte> pages);

  // Writes what is left, and commits the sink. Returns the digest that names the image (as a parent).
  Result<Digest> finish();

  [[nodiscard]] uint64_t size() const { return position_; }  // bytes written so far

 private:
  enum class State { manifest, pages, finished };

  ImageWriter(std::unique_ptr<Sink> sink, const WriterOptions& options, FrameEncoder encoder);
  Result<void> write(std::span<const std::byte> bytes);
  Result<void> add_zero(const format::RunRecord& run);
  Result<void> add_data(const format::RunRecord& run, std::span<const std::byte> page);
  Result<void> flush_zeros();
  Result<void> flush_frame();
  Result<void> add_to_index(const format::FrameRecord& frame, std::vector<format::RunRecord>& runs);
  Result<void> flush_index();
  Result<void> end_pages();
  Result<Digest> write_table();

  std::unique_ptr<Sink> sink_;
  WriterOptions options_;
  FrameEncoder encoder_;
  State state_ = State::manifest;
  std::optional<Error> failed_;
  uint64_t position_ = 0;
  format::Header header_;
  std::vector<format::SectionEntry> sections_;
  std::vector<std::byte> frame_;  // of frame_size; filled to fill_
  size_t fill_ = 0;
  std::vector<format::RunRecord> runs_;       // of frame_
  std::vector<format::RunRecord> zero_runs_;  // not yet in the index
  IndexBlockBuilder index_;
  Hasher index_hash_;
};

}  // namespace osp::migrate
