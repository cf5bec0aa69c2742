#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace osp::file {

// A locked range of a file (fcntl(2), "Advisory record locking"). The owner is a process's table of fds, or of a lock
// of an open file description (F_OFD_SETLK) that.
struct RangeLock {
  const void* owner = nullptr;
  bool is_exclusive = false;
  int64_t first = 0;
  int64_t last = INT64_MAX;  // to the end of the file and what comes behind it
  int pid = -1;              // as F_GETLK tells it
};

// The locks of one file. Knows neither fds nor processes, nor waits.
class LockTable {
 public:
  // The first lock of another owner that stands against it.
  [[nodiscard]] std::optional<RangeLock> conflict(const RangeLock& wanted) const;
  // The owner has this lock there now, in place of what it had; no other may stand against it.
  void set(const RangeLock& lock);
  void unlock(const void* owner, int64_t first, int64_t last);
  [[nodiscard]] bool has(const void* owner) const;
  [[nodiscard]] const std::vector<RangeLock>& all() const { return ranges_; }

  // flock(2): whole files, apart from the ranges.
  [[nodiscard]] bool can_lock_whole(const void* owner, bool is_exclusive) const;
  void lock_whole(const void* owner, bool is_exclusive) { whole_[owner] = is_exclusive; }
  bool unlock_whole(const void* owner) { return whole_.erase(owner) != 0; }

  [[nodiscard]] bool empty() const { return ranges_.empty() && whole_.empty(); }

 private:
  std::vector<RangeLock> ranges_;  // by their starts
  std::map<const void*, bool> whole_;
};

// Who waits for whose lock.
class LockWaits {
 public:
  // Whether `owner` would wait for itself in the end if it waited for `holder` (EDEADLK).
  [[nodiscard]] bool would_deadlock(const void* owner, const void* holder) const;
  void add(const void* owner, const void* holder) { waits_.emplace(owner, holder); }
  void remove(const void* owner, const void* holder);

 private:
  std::multimap<const void*, const void*> waits_;  // several threads of a process may wait
};

}  // namespace osp::file
