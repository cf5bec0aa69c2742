#include "pip/udp/receive_stream.h"

#include <utility>

namespace osp::pip::udp {

Result<void> ReceiveStream::add(uint64_t offset, std::string_view bytes) {
  if (bytes.empty()) return {};
  if (offset > limit() || bytes.size() > limit() - offset) return fail(EMSGSIZE);
  uint64_t next = taken_ + ready_.size();
  if (offset > next) {
    // Pieces may overlap, and are cut when their turn comes; so their sizes are bounded, not only where they end.
    if (ahead_.size() >= most_pieces_ || ahead_size_ + bytes.size() > window_) return fail(ENOBUFS);
    std::string& piece = ahead_[offset];
    if (piece.size() >= bytes.size()) return {};
    ahead_size_ += bytes.size() - piece.size();
    return piece = bytes, Result<void>{};
  }
  if (offset + bytes.size() <= next) return {};
  ready_ += bytes.substr(static_cast<size_t>(next - offset));
  for (auto at = ahead_.begin(); at != ahead_.end(); at = ahead_.erase(at)) {
    next = taken_ + ready_.size();
    if (at->first > next) break;
    ahead_size_ -= at->second.size();
    if (at->first + at->second.size() > next)
      ready_ += std::string_view(at->second).substr(static_cast<size_t>(next - at->first));
  }
  return {};
}

std::string ReceiveStream::take() {
  std::string bytes;
  take(bytes);
  return bytes;
}

void ReceiveStream::take(std::string& into) {
  taken_ += ready_.size();
  into.swap(ready_);
  ready_.clear();
}

}  // namespace osp::pip::udp
