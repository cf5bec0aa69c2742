#include "pip/udp/ack_ranges.h"

#include <algorithm>

namespace osp::pip::udp {

bool AckRanges::contains(uint64_t number) const {
  if (number < floor_) return true;
  return std::ranges::any_of(ranges_, [&](const Range& one) { return one.first <= number && number <= one.last; });
}

bool AckRanges::add(uint64_t number) {
  if (contains(number)) return false;
  // The first range that is not above it.
  auto at = std::ranges::find_if(ranges_, [&](const Range& one) { return one.last < number; });
  const bool joins_below = at != ranges_.end() && at->last + 1 == number;
  const bool joins_above = at != ranges_.begin() && std::prev(at)->first == number + 1;
  if (joins_below && joins_above) {
    std::prev(at)->first = at->first;
    ranges_.erase(at);
  } else if (joins_below) {
    at->last = number;
  } else if (joins_above) {
    std::prev(at)->first = number;
  } else {
    ranges_.insert(at, Range{number, number});
  }
  if (ranges_.size() > most_ranges) {
    floor_ = ranges_.back().last + 1;
    ranges_.pop_back();
  }
  return true;
}

}  // namespace osp::pip::udp
