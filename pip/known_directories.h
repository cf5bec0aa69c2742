#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace osp::pip {

// The directories that were found last. All are forgotten when `moment` is another than it was.
class KnownDirectories {
 public:
  [[nodiscard]] bool has(std::string_view path, uint64_t moment) const {
    return moment == moment_ && std::ranges::find(paths_, path) != paths_.end();
  }

  void add(std::string_view path, uint64_t moment) {
    if (moment != moment_) paths_.fill({});
    moment_ = moment;
    paths_[next_] = path;
    next_ = (next_ + 1) % paths_.size();
  }

 private:
  std::array<std::string, 8> paths_;  // "" is none: the root is nobody's to ask for
  size_t next_ = 0;
  uint64_t moment_ = 0;
};

}  // namespace osp::pip
