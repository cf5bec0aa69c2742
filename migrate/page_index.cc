#include "migrate/page_index.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "migrate/index_parser.h"

namespace osp::migrate {

ImageResult<PageIndex> PageIndex::read(Source& source, const format::Header& header,
                                       const format::SectionEntry& pages) {
  PageIndex index;
  OSP_TRY(IndexParser(source, header, pages, index).parse());
  OSP_TRY(index.sort(pages.offset));
  return index;
}

// runs_ comes in the order of the file; by_frame_ remembers it.
ImageResult<void> PageIndex::sort(uint64_t section_offset) {
  const auto place = [](const Run& run) { return std::tuple(run.space, run.offset); };
  std::vector<uint32_t> order(runs_.size());
  std::iota(order.begin(), order.end(), 0u);
  std::ranges::sort(order, {}, [&](uint32_t i) { return place(runs_[i]); });
  by_frame_.resize(runs_.size());
  std::vector<Run> sorted;
  sorted.reserve(runs_.size());
  for (const uint32_t i : order) {
    by_frame_[i] = static_cast<uint32_t>(sorted.size());
    sorted.push_back(runs_[i]);
  }
  runs_ = std::move(sorted);
  const auto overlap = std::ranges::adjacent_find(
      runs_, [](const Run& a, const Run& b) { return a.space == b.space && a.end() > b.offset; });
  if (overlap != runs_.end()) return refuse("index", "a page is there twice", section_offset);
  return {};
}

const Run* PageIndex::find(uint32_t space, uint64_t offset) const {
  const auto after = std::ranges::upper_bound(runs_, std::tuple(space, offset), {},
                                              [](const Run& run) { return std::tuple(run.space, run.offset); });
  if (after == runs_.begin()) return nullptr;
  const Run& run = *std::prev(after);
  return run.space == space && offset < run.end() ? &run : nullptr;
}

}  // namespace osp::migrate
