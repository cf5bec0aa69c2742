#include "base/log.h"

#include <array>
#include <optional>
#include <string>

#include "base/raw_syscall.h"

namespace osp::log {
namespace {

constexpr size_t max_areas = 16;
constexpr std::array<std::string_view, 5> level_names = {"error", "warn", "info", "debug", "trace"};

struct AreaLevel {
  std::string area;
  Level level = Level::warn;
};

struct State {
  int fd = 2;
  Level level = Level::warn;
  std::array<AreaLevel, max_areas> areas;
  size_t area_count = 0;
};

State& state() {
  static State instance;
  return instance;
}

std::optional<Level> parse_level(std::string_view word) {
  for (size_t i = 0; i < level_names.size(); ++i)
    if (word == level_names[i]) return static_cast<Level>(i);
  return std::nullopt;
}

void configure_item(std::string_view item) {
  State& s = state();
  const size_t equals = item.find('=');
  const bool has_area = equals != std::string_view::npos;
  const auto level = parse_level(has_area ? item.substr(equals + 1) : item);
  if (!level) {
    write("log", Level::warn,
          fmt::format("OSP_LOG: '{}' is not LEVEL or AREA=LEVEL; levels: {}", item, "error warn info debug trace"));
  } else if (!has_area) {
    s.level = *level;
  } else if (s.area_count < max_areas) {
    s.areas[s.area_count++] = {std::string(item.substr(0, equals)), *level};
  }
}

}  // namespace

void configure(std::string_view spec) {
  while (!spec.empty()) {
    const size_t comma = spec.find(',');
    if (const auto item = spec.substr(0, comma); !item.empty()) configure_item(item);
    if (comma == std::string_view::npos) break;
    spec.remove_prefix(comma + 1);
  }
}

void set_fd(int fd) { state().fd = fd; }

bool enabled(std::string_view area, Level level) {
  const State& s = state();
  for (size_t i = 0; i < s.area_count; ++i)
    if (s.areas[i].area == area) return level <= s.areas[i].level;
  return level <= s.level;
}

void write(std::string_view area, Level level, std::string_view text) {
  const std::string line =
      level <= Level::warn
          ? fmt::format("{}{}: {}\n", area.starts_with("osp") ? "" : "osp: ", area, text)
          : fmt::format("osp: {}: {}[{}]: {}\n", area, level_names[static_cast<size_t>(level)], raw::getpid(), text);
  raw::write(state().fd, line.data(), line.size());
}

}  // namespace osp::log
