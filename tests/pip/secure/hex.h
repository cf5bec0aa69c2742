#pragma once

#include <string>
#include <string_view>

namespace osp::pip {

// The bytes that pairs of hexadecimal digits say, for published vectors.
inline std::string unhex(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16));
  return bytes;
}

}  // namespace osp::pip
