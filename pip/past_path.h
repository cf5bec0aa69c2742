#pragma once

#include <algorithm>
#include <string>
#include <string_view>

// Where a server that keeps the past of its tree has it (pip/store/history.h): .osp-history/at/TIME/PATH and
// .osp-history/version/NUMBER/PATH. Nothing here blocks.
namespace osp::pip {

constexpr std::string_view history_directory = ".osp-history";

// The tree as it was at a time.
inline std::string past_path(std::string_view time) {
  return std::string(history_directory) + "/at/" + std::string(time);
}

// Where what is at `path` is in the tree of now, so that rights to it are judged by that: "" for the roots of the past.
inline std::string_view present_path(std::string_view path) {
  if (!path.starts_with(history_directory)) return path;
  std::string_view rest = path.substr(history_directory.size());
  if (!rest.empty() && rest[0] != '/') return path;
  for (int names = 0; names < 2 && !rest.empty(); ++names) rest = rest.substr(std::min(rest.find('/', 1), rest.size()));
  return rest.empty() ? rest : rest.substr(1);
}

}  // namespace osp::pip
