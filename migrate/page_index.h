#pragma once

#include <optional>
#include <span>
#include <vector>

#include "migrate/image_error.h"
#include "migrate/image_format.h"
#include "migrate/source.h"

namespace osp::migrate {

// Pages that follow one another, in a page space and in a frame.
struct Run {
  uint64_t offset = 0;  // in the space, bytes; an address in a process's
  uint32_t space = 0;
  uint32_t page_count = 0;
  uint32_t frame = 0;
  uint32_t frame_offset = 0;  // of the first page in the frame's pages, bytes; zero frames: 0

  [[nodiscard]] uint64_t size() const { return uint64_t{page_count} * format::page_size; }
  [[nodiscard]] uint64_t end() const { return offset + size(); }
};

struct Frame {
  uint64_t offset = 0;  // of the stored bytes in the file
  uint64_t checksum = 0;
  uint32_t stored_size = 0;
  uint32_t raw_size = 0;  // zero frames: 0, though their runs have pages
  uint32_t first_run = 0;
  uint32_t run_count = 0;
  format::Codec codec = format::Codec::zero;
};

// Where an image's pages are. Immutable once read.
class PageIndex {
 public:
  // Reads and checks the whole index of the section `pages`: every block's checksum, every record's bounds, that
  // frames and blocks fill the section without gap or overlap, and that no page is there twice.
  static ImageResult<PageIndex> read(Source& source, const format::Header& header, const format::SectionEntry& pages);

  [[nodiscard]] std::span<const Frame> frames() const { return frames_; }  // in the order of the file
  [[nodiscard]] std::span<const Run> runs() const { return runs_; }        // sorted by space, then offset

  // The run with the page at `offset` of `space`, or null: the image does not hold that page.
  [[nodiscard]] const Run* find(uint32_t space, uint64_t offset) const;

  // The runs of one frame, in its order, as indices of runs().
  [[nodiscard]] std::span<const uint32_t> runs_of(const Frame& frame) const {
    return std::span(by_frame_).subspan(frame.first_run, frame.run_count);
  }

 private:
  friend class IndexParser;

  ImageResult<void> sort(uint64_t section_offset);

  std::vector<Frame> frames_;
  std::vector<Run> runs_;
  std::vector<uint32_t> by_frame_;
};

}  // namespace osp::migrate
