#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace osp::unpack {

// A bar on standard error, if that is a terminal and the work takes longer than a moment. It goes when the work is
// done.
class Progress {
 public:
  // `what` is done to `name`, whose work is `total` (0: not known).
  Progress(std::string what, std::string name, uint64_t total);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();
  void at(uint64_t done);

 private:
  using Clock = std::chrono::steady_clock;
  void draw(uint64_t done);

  std::string what_, name_;
  uint64_t total_;
  bool shown_, drawn_ = false;
  Clock::time_point next_;
};

}  // namespace osp::unpack
