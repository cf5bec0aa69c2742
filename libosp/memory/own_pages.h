#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/result.h"

namespace osp::memory {

// Finds the pages of private memory that are the process's own, by /proc/self/pagemap: neither untouched nor a file's.
class OwnPages {
 public:
  OwnPages();
  ~OwnPages();
  OwnPages(const OwnPages&) = delete;
  OwnPages& operator=(const OwnPages&) = delete;

  // Calls `found` with ranges of them between `start` and `end`, ascending. As pread(2) and ioctl(2) fail.
  Result<void> each(uintptr_t start, uintptr_t end, const std::function<void(uintptr_t, uintptr_t)>& found);

 private:
  struct ScanRegion {
    uint64_t start, end, categories;
  };
  Result<void> scan(uintptr_t start, uintptr_t end, const std::function<void(uintptr_t, uintptr_t)>& found);
  Result<void> read(uintptr_t start, uintptr_t end, const std::function<void(uintptr_t, uintptr_t)>& found) const;

  int fd_;
  bool can_scan_ = true;
  std::vector<ScanRegion> regions_;
};

}  // namespace osp::memory
