#include "pip/cache/content.h"

#include <algorithm>

namespace osp::pip {

void Content::add(uint64_t offset, std::string_view bytes) {
  known_ = true;
  if (offset >= size_) return;
  bytes = bytes.substr(0, size_ - offset);
  while (!bytes.empty()) {
    auto next = pieces_.upper_bound(offset);
    if (next != pieces_.begin()) {
      const auto& [start, piece] = *std::prev(next);
      const uint64_t end = start + piece.size();
      if (end > offset) {  // known already
        const uint64_t skip = std::min<uint64_t>(end - offset, bytes.size());
        offset += skip;
        bytes.remove_prefix(skip);
        continue;
      }
    }
    const uint64_t room = next == pieces_.end() ? bytes.size() : std::min<uint64_t>(bytes.size(), next->first - offset);
    pieces_[offset] = std::string(bytes.substr(0, room));
    held_ += room;
    offset += room;
    bytes.remove_prefix(room);
  }
}

std::optional<std::string> Content::read(uint64_t offset, uint64_t count) const {
  if (offset >= size_) return known_ ? std::optional(std::string()) : std::nullopt;
  const uint64_t end = std::min(size_, offset + std::min(count, size_ - offset));
  std::string bytes;
  for (uint64_t at = offset; at < end;) {
    auto piece = pieces_.upper_bound(at);
    if (piece == pieces_.begin()) return std::nullopt;
    --piece;
    if (piece->first + piece->second.size() <= at) return std::nullopt;
    bytes += std::string_view(piece->second).substr(at - piece->first, end - at);
    at = offset + bytes.size();
  }
  return bytes;
}

}  // namespace osp::pip
