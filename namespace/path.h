#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// Paths of the name space. "Normal" means absolute, one '/' between components, none at the end but
// in "/" itself, no "." and no "..". Everything here is pure and signal-safe unless it returns a string.
namespace osp::ns {

inline constexpr size_t path_size_max = 4095;  // PATH_MAX without the NUL
inline constexpr size_t name_size_max = 255;   // NAME_MAX, of our own servers

// Whether `path` is `prefix` or lies below it (both normal).
inline bool is_within(std::string_view path, std::string_view prefix) {
  if (prefix.size() <= 1) return true;
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

// What `path` adds to `prefix`, without a leading slash; is_within(path, prefix) must hold.
inline std::string_view below(std::string_view path, std::string_view prefix) {
  if (path.size() == prefix.size()) return {};
  return path.substr(prefix.size() <= 1 ? 1 : prefix.size() + 1);
}

// The directory a normal path lies in; "/" of "/".
inline std::string_view parent_of(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string_view::npos ? std::string_view("/") : path.substr(0, slash);
}

// The last component of a normal or relative path.
inline std::string_view last_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// The first component of a relative path.
inline std::string_view first_of(std::string_view path) { return path.substr(0, path.find('/')); }

// Appends one or more components to a normal path, in place.
inline void append(std::string& path, std::string_view rest) {
  if (rest.empty()) return;
  if (!path.ends_with('/')) path += '/';
  path += rest;
}

// A server's path (relative, "" is its root) with `rest` below it.
inline std::string join_relative(std::string_view path, std::string_view rest) {
  std::string joined;
  joined.reserve(path.size() + rest.size() + 1);
  joined = path;
  if (!path.empty() && !rest.empty()) joined += '/';
  joined += rest;
  return joined;
}

}  // namespace osp::ns
