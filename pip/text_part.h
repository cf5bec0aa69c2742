#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace osp::pip {

// File::read() of a file whose contents are `text`: how many bytes there are from `offset` on, at most as `into` has.
inline size_t read_text(std::string_view text, uint64_t offset, std::span<std::byte> into) {
  if (offset >= text.size() || into.empty()) return 0;
  const std::string_view part = text.substr(offset, into.size());
  std::memcpy(into.data(), part.data(), part.size());
  return part.size();
}

}  // namespace osp::pip
