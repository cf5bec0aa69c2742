#pragma once

#include <optional>
#include <string_view>

namespace osp::device {

// The number in a path that names an open file of the process itself: /dev/fd/N, /proc/self/fd/N, /proc/PID/fd/N,
// /dev/stdin and its like.
std::optional<int> fd_of_name(std::string_view path, int pid);

}  // namespace osp::device
