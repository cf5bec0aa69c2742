#pragma once

#include <span>
#include <vector>

#include "migrate/image_error.h"
#include "migrate/image_format.h"
#include "migrate/page_index.h"
#include "migrate/source.h"

namespace osp::migrate {

// Reads the index blocks of a page section into a PageIndex (which see): its one use is there.
class IndexParser {
 public:
  IndexParser(Source& source, const format::Header& header, const format::SectionEntry& section, PageIndex& index)
      : source_(source), header_(header), section_(section), index_(index), cursor_(section.offset) {}

  ImageResult<void> parse();

 private:
  ImageResult<format::IndexBlock> read_header(uint64_t offset);
  ImageResult<std::vector<uint64_t>> walk_chain();
  ImageResult<void> parse_block(uint64_t offset);
  ImageResult<void> parse_records(uint64_t offset, std::span<const std::byte> records);
  ImageResult<void> add_frame(uint64_t at, const format::FrameRecord& record);
  ImageResult<void> add_run(uint64_t at, const format::RunRecord& record, Frame& frame, uint64_t& pages);
  ImageResult<void> place_frame(uint64_t at, const format::FrameRecord& record);
  ImageResult<void> skip_padding();
  [[nodiscard]] uint64_t section_end() const { return section_.offset + section_.size; }

  Source& source_;
  const format::Header& header_;
  const format::SectionEntry& section_;
  PageIndex& index_;
  uint64_t cursor_;  // up to where the section is accounted for
  Hasher hasher_;
};

}  // namespace osp::migrate
