#pragma once

#include <span>
#include <vector>

#include "migrate/image_format.h"

namespace osp::migrate {

// Adds `page_count` pages to a list of runs, to the last one where they continue it.
// False, and nothing is added, if that would be more than `max_runs` runs.
bool extend_runs(std::vector<format::RunRecord>& runs, const format::RunRecord& more);

// Collects index records into a block of bounded size.
class IndexBlockBuilder {
 public:
  IndexBlockBuilder() { records_.reserve(format::max_index_block); }

  // At most max_index_block bytes of records; one frame's always fit an empty block.
  [[nodiscard]] bool empty() const { return frame_count_ == 0; }
  [[nodiscard]] bool has_room(size_t run_count) const;
  void add(const format::FrameRecord& frame, std::span<const format::RunRecord> runs);

  // What goes to the file, one after the other; then, when it is there at `offset`, the next block is begun.
  [[nodiscard]] format::IndexBlock header() const;
  [[nodiscard]] std::span<const std::byte> records() const { return records_; }
  void begin_next(uint64_t offset);

  [[nodiscard]] uint64_t last_block() const { return previous_; }  // offset, or 0
  [[nodiscard]] uint64_t frame_total() const { return first_frame_ + frame_count_; }

 private:
  std::vector<std::byte> records_;
  uint64_t previous_ = 0;
  uint64_t first_frame_ = 0;
  uint64_t frame_count_ = 0;
};

}  // namespace osp::migrate
