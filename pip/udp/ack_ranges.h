#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace osp::pip::udp {

// Numbers from `first` to `last`, both included.
struct Range {
  uint64_t first = 0, last = 0;
  friend bool operator==(const Range&, const Range&) = default;
};

// Which numbers have come: to be acknowledged, and so that none is taken twice. Of the ranges it keeps the newest; what
// is older counts as having come.
class AckRanges {
 public:
  static constexpr size_t most_ranges = 64;

  // False: it has come before.
  bool add(uint64_t number);
  [[nodiscard]] bool contains(uint64_t number) const;
  // Newest first.
  [[nodiscard]] const std::vector<Range>& ranges() const { return ranges_; }
  [[nodiscard]] bool empty() const { return ranges_.empty(); }
  // There is one.
  [[nodiscard]] uint64_t largest() const { return ranges_.front().last; }

 private:
  std::vector<Range> ranges_;
  uint64_t floor_ = 0;  // what is below has come
};

}  // namespace osp::pip::udp
