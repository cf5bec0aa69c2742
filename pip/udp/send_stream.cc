#include "pip/udp/send_stream.h"

#include <algorithm>

namespace osp::pip::udp {
namespace {

// Adds [from, to) to ranges that are apart from each other.
void join(std::map<uint64_t, uint64_t>& ranges, uint64_t from, uint64_t to) {
  auto at = ranges.upper_bound(from);
  if (at != ranges.begin() && std::prev(at)->second >= from) --at;
  while (at != ranges.end() && at->first <= to) {
    from = std::min(from, at->first);
    to = std::max(to, at->second);
    at = ranges.erase(at);
  }
  ranges[from] = to;
}

// Takes [from, to) out of them.
void cut(std::map<uint64_t, uint64_t>& ranges, uint64_t from, uint64_t to) {
  auto at = ranges.upper_bound(from);
  if (at != ranges.begin()) --at;
  while (at != ranges.end() && at->first < to) {
    const auto [first, end] = *at;
    if (end <= from) {
      ++at;
      continue;
    }
    at = ranges.erase(at);
    if (first < from) ranges[first] = from;
    if (end > to) at = ranges.emplace(to, end).first;
  }
}

}  // namespace

void SendStream::write(std::string_view bytes) { buffer_ += bytes; }

std::optional<Piece> SendStream::next(size_t most, uint64_t limit) {
  if (most == 0) return std::nullopt;
  if (!lost_.empty()) {
    const auto [offset, end] = *lost_.begin();
    const Piece piece{offset, static_cast<size_t>(std::min<uint64_t>(most, end - offset))};
    lost_.erase(lost_.begin());
    if (offset + piece.size < end) lost_[offset + piece.size] = end;
    return piece;
  }
  const uint64_t last = std::min(limit, end());
  if (next_ >= last) return std::nullopt;
  const Piece piece{next_, static_cast<size_t>(std::min<uint64_t>(most, last - next_))};
  next_ += piece.size;
  return piece;
}

std::string_view SendStream::bytes(const Piece& piece) const {
  return std::string_view(buffer_).substr(start_ + static_cast<size_t>(piece.offset - base_), piece.size);
}

void SendStream::acknowledged(const Piece& piece) {
  const uint64_t from = std::max(piece.offset, base_), to = piece.offset + piece.size;
  if (from >= to) return;
  cut(lost_, from, to);
  join(acked_, from, to);
  drop_front();
}

void SendStream::drop_front() {
  if (acked_.begin()->first != base_) return;
  const uint64_t end = acked_.begin()->second;
  start_ += static_cast<size_t>(end - base_);
  base_ = end;
  acked_.erase(acked_.begin());
  if (start_ < buffer_.size() / 2) return;  // so each byte is moved about once
  buffer_.erase(0, start_);
  start_ = 0;
}

void SendStream::lost(const Piece& piece) {
  uint64_t from = std::max(piece.offset, base_);
  const uint64_t to = piece.offset + piece.size;
  for (const auto& [first, end] : acked_) {
    if (first >= to || from >= to) break;
    if (end <= from) continue;
    if (from < first) join(lost_, from, first);
    from = end;
  }
  if (from < to) join(lost_, from, to);
}

}  // namespace osp::pip::udp
