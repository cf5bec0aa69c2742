#include "libosp/file/lock_table.h"

#include <algorithm>

namespace osp::file {
namespace {

bool overlap(const RangeLock& a, int64_t first, int64_t last) { return a.first <= last && first <= a.last; }

}  // namespace

std::optional<RangeLock> LockTable::conflict(const RangeLock& wanted) const {
  for (const RangeLock& lock : ranges_)
    if (lock.owner != wanted.owner && (lock.is_exclusive || wanted.is_exclusive) &&
        overlap(lock, wanted.first, wanted.last))
      return lock;
  return std::nullopt;
}

void LockTable::unlock(const void* owner, int64_t first, int64_t last) {
  std::vector<RangeLock> left;
  for (const RangeLock& lock : ranges_) {
    if (lock.owner != owner || !overlap(lock, first, last)) {
      left.push_back(lock);
      continue;
    }
    RangeLock before = lock, behind = lock;
    before.last = first - 1, behind.first = last == INT64_MAX ? last : last + 1;
    if (lock.first < first) left.push_back(before);
    if (lock.last > last) left.push_back(behind);
  }
  std::ranges::stable_sort(left, {}, &RangeLock::first);
  ranges_ = std::move(left);
}

void LockTable::set(const RangeLock& lock) {
  unlock(lock.owner, lock.first, lock.last);
  RangeLock whole = lock;  // with those of the same sort that it touches
  std::erase_if(ranges_, [&](const RangeLock& other) {
    const bool touches = (other.last != INT64_MAX && other.last + 1 == whole.first) ||
                         (whole.last != INT64_MAX && whole.last + 1 == other.first);
    if (other.owner != whole.owner || other.is_exclusive != whole.is_exclusive || !touches) return false;
    whole.first = std::min(whole.first, other.first), whole.last = std::max(whole.last, other.last);
    return true;
  });
  ranges_.insert(std::ranges::upper_bound(ranges_, whole.first, {}, &RangeLock::first), whole);
}

bool LockTable::has(const void* owner) const {
  return std::ranges::any_of(ranges_, [owner](const RangeLock& lock) { return lock.owner == owner; });
}

bool LockTable::can_lock_whole(const void* owner, bool is_exclusive) const {
  return std::ranges::none_of(whole_,
                              [&](const auto& held) { return held.first != owner && (is_exclusive || held.second); });
}

bool LockWaits::would_deadlock(const void* owner, const void* holder) const {
  constexpr int most_steps = 10;  // as Linux's MAX_DEADLK_ITERATIONS
  for (int i = 0; i < most_steps; ++i) {
    if (holder == owner) return true;
    const auto next = waits_.find(holder);
    if (next == waits_.end()) return false;
    holder = next->second;
  }
  return false;
}

void LockWaits::remove(const void* owner, const void* holder) {
  const auto [first, last] = waits_.equal_range(owner);
  const auto found = std::find_if(first, last, [holder](const auto& wait) { return wait.second == holder; });
  if (found != last) waits_.erase(found);
}

}  // namespace osp::file
