#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

// The host's own account of this process's memory (proc(5), maps).
namespace osp::host {

struct Range {
  uintptr_t start = 0, end = 0;
};

// "start-end perms offset major:minor inode   name"; the views are the text's.
struct MapsLine {
  Range range;
  std::string_view permissions;
  uint64_t offset = 0, major = 0, minor = 0, inode = 0;
  std::string_view name;
};

// What the kernel mapped for itself: its vDSO, and the data pages that it reads.
struct KernelPages {
  Range vdso;  // empty where there is none
  std::vector<Range> data;

  void take(const MapsLine& line);  // if it is one of these
};

// ENOENT, EACCES: /proc cannot be read. Raw system calls.
[[nodiscard]] Result<KernelPages> find_kernel_pages();
Result<void> each_mapping(const std::function<void(const MapsLine&)>& take);

// The kernel writes a newline in a name as \012.
[[nodiscard]] std::string unescape_name(std::string_view name);

}  // namespace osp::host
