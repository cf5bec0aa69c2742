#include "tools/unpack/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace osp::unpack {
namespace {

constexpr auto patience = std::chrono::milliseconds(300), interval = std::chrono::milliseconds(100);
constexpr uint64_t width = 30;

}  // namespace

Progress::Progress(std::string what, std::string name, uint64_t total)
    : what_(std::move(what)),
      name_(std::move(name)),
      total_(total),
      shown_(isatty(STDERR_FILENO) == 1),
      next_(Clock::now() + patience) {}

Progress::~Progress() {
  if (drawn_) fmt::print(stderr, "\r\033[K");
}

void Progress::at(uint64_t done) {
  if (!shown_ || total_ == 0 || Clock::now() < next_) return;
  next_ = Clock::now() + interval;
  draw(std::min(done, total_));
}

void Progress::draw(uint64_t done) {
  const uint64_t full = done * width / total_;
  fmt::print(stderr, "\rosp-run: {} {} [{:#<{}}{:.<{}}] {:3} %\033[K", what_, name_, "", full, "", width - full,
             done * 100 / total_);
  fflush(stderr);
  drawn_ = true;
}

}  // namespace osp::unpack
