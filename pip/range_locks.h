#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace osp::pip {

enum class LockType : uint8_t { none = 0, shared = 1, exclusive = 2 };

// Which locks of a file stand against each other: those of fcntl(2), and those of flock(2), which are on the whole
// file.
enum class LockKind : uint8_t { range = 0, whole = 1 };
constexpr size_t lock_kinds = 2;

// Bytes of a file, the last one included.
struct LockRange {
  static constexpr uint64_t most = INT64_MAX;  // to the end of the file, and what comes behind it

  LockType type = LockType::none;
  uint64_t first = 0;
  uint64_t last = most;
  friend bool operator==(const LockRange&, const LockRange&) = default;
};

// What one owner has locked of a file, in one kind. Never more pieces than need be.
class RangeLocks {
 public:
  RangeLocks() = default;
  explicit RangeLocks(const LockRange& only) : ranges_{only} {}
  // The range is this from now on; none: it is not locked.
  void set(const LockRange& range);
  void clear() { ranges_.clear(); }
  // Behind all that there are.
  void append(const LockRange& range);
  // Whether all of it is locked, at least so.
  [[nodiscard]] bool covers(const LockRange& range) const;
  // The first of these that another owner could not have `range` beside.
  [[nodiscard]] std::optional<LockRange> conflict(const LockRange& range) const;
  // Only what `other` has, too, and no more than it has.
  void intersect(const RangeLocks& other);
  // By their starts.
  [[nodiscard]] const std::vector<LockRange>& all() const { return ranges_; }
  [[nodiscard]] bool is_empty() const { return ranges_.empty(); }
  friend bool operator==(const RangeLocks&, const RangeLocks&) = default;

 private:
  std::vector<LockRange> ranges_;
};

// On the wire: type[1] first[8] last[8] each.
std::string pack(const RangeLocks& locks);
// EBADMSG: of no such form, not in order, or over most_lock_ranges.
constexpr size_t most_lock_ranges = 4096;
Result<RangeLocks> unpack_locks(std::string_view packed);

}  // namespace osp::pip
