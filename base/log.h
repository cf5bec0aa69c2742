#pragma once

#include <fmt/format.h>

#include <string_view>

namespace osp::log {

enum class Level : unsigned char { error, warn, info, debug, trace };

// Reads OSP_LOG's form, `LEVEL[,AREA=LEVEL]…`, e.g. "warn,pip=debug". An unknown word is ignored
// and named in one warning. Not thread-safe: call it once, before there are other threads.
void configure(std::string_view spec);

// The fd that lines go to (2 at first). The caller keeps ownership.
void set_fd(int fd);

[[nodiscard]] bool enabled(std::string_view area, Level level);

// Writes one line, `osp: AREA: text` (with the level, pid and time from `info` down), by a raw
// write(2): no buffer, no lock. Not for signal handlers (it formats on the heap when long).
void write(std::string_view area, Level level, std::string_view text);

template <class... Args>
void print(std::string_view area, Level level, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(area, level)) write(area, level, fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
void error(std::string_view area, fmt::format_string<Args...> format, Args&&... args) {
  print(area, Level::error, format, std::forward<Args>(args)...);
}
template <class... Args>
void warn(std::string_view area, fmt::format_string<Args...> format, Args&&... args) {
  print(area, Level::warn, format, std::forward<Args>(args)...);
}
template <class... Args>
void info(std::string_view area, fmt::format_string<Args...> format, Args&&... args) {
  print(area, Level::info, format, std::forward<Args>(args)...);
}
template <class... Args>
void debug(std::string_view area, fmt::format_string<Args...> format, Args&&... args) {
  print(area, Level::debug, format, std::forward<Args>(args)...);
}

}  // namespace osp::log
