#include "pip/range_locks.h"

#include <algorithm>

#include "pip/wire.h"

namespace osp::pip {
namespace {

bool meet(const LockRange& a, const LockRange& b) { return a.first <= b.last && b.first <= a.last; }

}  // namespace

void RangeLocks::append(const LockRange& range) {
  const bool goes_on = !ranges_.empty() && ranges_.back().type == range.type && ranges_.back().last + 1 == range.first;
  if (goes_on) {
    ranges_.back().last = range.last;
  } else {
    ranges_.push_back(range);
  }
}

void RangeLocks::set(const LockRange& range) {
  std::vector<LockRange> now;
  for (const LockRange& one : ranges_) {
    if (!meet(one, range)) {
      now.push_back(one);
      continue;
    }
    if (one.first < range.first) now.push_back({.type = one.type, .first = one.first, .last = range.first - 1});
    if (one.last > range.last) now.push_back({.type = one.type, .first = range.last + 1, .last = one.last});
  }
  if (range.type != LockType::none) now.push_back(range);
  std::ranges::sort(now, {}, &LockRange::first);
  ranges_.clear();
  for (const LockRange& one : now) append(one);
}

bool RangeLocks::covers(const LockRange& range) const {
  uint64_t next = range.first;
  for (const LockRange& one : ranges_) {
    if (one.last < next) continue;
    if (one.first > next || one.type < range.type) return false;
    if (one.last >= range.last) return true;
    next = one.last + 1;
  }
  return false;
}

std::optional<LockRange> RangeLocks::conflict(const LockRange& range) const {
  for (const LockRange& one : ranges_)
    if (meet(one, range) && (one.type == LockType::exclusive || range.type == LockType::exclusive)) return one;
  return std::nullopt;
}

void RangeLocks::intersect(const RangeLocks& other) {
  RangeLocks both;
  auto one = ranges_.begin();
  auto two = other.ranges_.begin();
  while (one != ranges_.end() && two != other.ranges_.end()) {
    if (meet(*one, *two))
      both.append({.type = std::min(one->type, two->type),
                   .first = std::max(one->first, two->first),
                   .last = std::min(one->last, two->last)});
    if (one->last < two->last) {
      ++one;
    } else {
      ++two;
    }
  }
  *this = both;
}

std::string pack(const RangeLocks& locks) {
  std::string bytes;
  Writer out(bytes);
  for (const LockRange& one : locks.all())
    out.u8(static_cast<uint8_t>(one.type)), out.u64(one.first), out.u64(one.last);
  return bytes;
}

Result<RangeLocks> unpack_locks(std::string_view packed) {
  RangeLocks locks;
  Reader in(packed);
  uint64_t next = 0;
  for (size_t count = 0; !in.rest().empty(); ++count) {
    const uint8_t type = in.u8();
    const LockRange one{.type = static_cast<LockType>(type), .first = in.u64(), .last = in.u64()};
    const bool is_sound = in.ok() && type >= 1 && type <= 2 && one.first >= next && one.first <= one.last &&
                          one.last <= LockRange::most && count < most_lock_ranges;
    if (!is_sound) return fail(EBADMSG);
    next = one.last + 1;
    locks.append(one);
  }
  return locks;
}

}  // namespace osp::pip
