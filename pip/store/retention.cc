#include "pip/store/retention.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace osp::pip::store {
namespace {

constexpr uint64_t hour_s = 3600, day_s = 24 * hour_s, week_s = 7 * day_s;
constexpr std::string_view units = "smhdwy";
constexpr uint64_t unit_s[] = {1, 60, hour_s, day_s, week_s, 365 * day_s};

std::optional<uint64_t> number_of(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

std::optional<uint64_t> span_of(std::string_view text) {
  const size_t unit = text.empty() ? std::string_view::npos : units.find(text.back());
  if (unit == std::string_view::npos) return std::nullopt;
  const auto number = number_of(text.substr(0, text.size() - 1));
  if (!number || *number > UINT32_MAX) return std::nullopt;
  return *number * unit_s[unit];
}

uint64_t step_of(std::string_view word) {
  if (word == "for") return 1;
  if (word == "hourly") return hour_s;
  if (word == "daily") return day_s;
  return word == "weekly" ? week_s : 0;
}

}  // namespace

std::expected<Retention, std::string> Retention::parse(std::string_view rules) {
  constexpr std::string_view forms =
      "rules are all, last=N, for=TIME, hourly=TIME, daily=TIME, weekly=TIME; TIME as 30d";
  Retention retention;
  while (true) {
    const std::string_view rule = rules.substr(0, rules.find(','));
    const std::string_view word = rule.substr(0, rule.find('='));
    const std::string_view value = rule.substr(std::min(rule.size(), word.size() + 1));
    const auto number = number_of(value);
    const auto span = span_of(value);
    if (rule == "all") {
      retention.all_ = true;
    } else if (word == "last" && number && *number > 0) {
      retention.last_ = std::max(retention.last_, *number);
    } else if (step_of(word) != 0 && span) {
      retention.grids_.push_back({.step_s = step_of(word), .span_s = *span});
    } else {
      return std::unexpected(fmt::format("'{}' is no rule of what to keep: {}", rule, forms));
    }
    if (rule.size() == rules.size()) return retention;
    rules.remove_prefix(rule.size() + 1);
  }
}

bool Retention::keeps(uint64_t from_s, uint64_t until_s, uint64_t now_s) const {
  if (all_ || until_s > now_s) return true;
  return std::ranges::any_of(grids_, [&](const Grid& grid) {
    const uint64_t begin = std::max(from_s, now_s - std::min(now_s, grid.span_s));
    const uint64_t instant = (begin + grid.step_s - 1) / grid.step_s * grid.step_s;  // the first that counts
    return instant < until_s && instant <= now_s;
  });
}

}  // namespace osp::pip::store
