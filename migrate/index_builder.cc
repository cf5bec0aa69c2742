#include "migrate/index_builder.h"

namespace osp::migrate {
namespace {

constexpr uint32_t max_run_pages = UINT32_MAX;

}  // namespace

bool extend_runs(std::vector<format::RunRecord>& runs, const format::RunRecord& more) {
  if (!runs.empty()) {
    format::RunRecord& last = runs.back();
    const bool continues = last.space == more.space &&
                           last.offset + uint64_t{last.page_count} * format::page_size == more.offset &&
                           last.page_count <= max_run_pages - more.page_count;
    if (continues) {
      last.page_count += more.page_count;
      return true;
    }
  }
  if (runs.size() >= format::max_runs) return false;
  runs.push_back(more);
  return true;
}

bool IndexBlockBuilder::has_room(size_t run_count) const {
  const size_t size = sizeof(format::FrameRecord) + run_count * sizeof(format::RunRecord);
  return records_.size() + size <= format::max_index_block;
}

void IndexBlockBuilder::add(const format::FrameRecord& frame, std::span<const format::RunRecord> runs) {
  const auto frame_bytes = format::bytes_of(frame);
  const auto run_bytes = std::as_bytes(runs);
  records_.insert(records_.end(), frame_bytes.begin(), frame_bytes.end());
  records_.insert(records_.end(), run_bytes.begin(), run_bytes.end());
  ++frame_count_;
}

format::IndexBlock IndexBlockBuilder::header() const {
  format::IndexBlock block;
  block.size = static_cast<uint32_t>(records_.size());
  block.previous = previous_;
  block.first_frame = first_frame_;
  block.frame_count = frame_count_;
  block.checksum = format::checksum_of(block, records_);
  return block;
}

void IndexBlockBuilder::begin_next(uint64_t offset) {
  previous_ = offset;
  first_frame_ += frame_count_;
  frame_count_ = 0;
  records_.clear();
}

}  // namespace osp::migrate
