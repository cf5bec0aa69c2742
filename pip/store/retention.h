#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace osp::pip::store {

// Which of the past is kept. RULES are RULE[,RULE…]; what any of them keeps is kept, and what is now, always:
//
//   all           everything
//   last=N        the newest N versions of each file that is there
//   for=TIME      every state of the last TIME
//   hourly=TIME, daily=TIME, weekly=TIME    the states at the ends of the hours, days, weeks (UTC) of the last TIME
//
// TIME is a number with s, m, h, d, w or y (365 days). A state is a version, a name, or a file's attributes.
class Retention {
 public:
  // The error is for a person.
  static std::expected<Retention, std::string> parse(std::string_view rules);

  [[nodiscard]] bool keeps_all() const { return all_; }
  // How many versions of a file are kept whatever their age.
  [[nodiscard]] uint64_t least_versions() const { return last_; }
  // Whether a state that began with one second and ended before another was, in an instant that counts.
  // UINT64_MAX: it has not ended.
  [[nodiscard]] bool keeps(uint64_t from_s, uint64_t until_s, uint64_t now_s) const;

 private:
  struct Grid {
    uint64_t step_s = 1;
    uint64_t span_s = 0;
  };
  bool all_ = false;
  uint64_t last_ = 1;
  std::vector<Grid> grids_;
};

}  // namespace osp::pip::store
