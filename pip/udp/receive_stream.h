#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace osp::pip::udp {

// Puts what arrives back in order, within a window.
class ReceiveStream {
 public:
  // `window`: bytes that may be sent ahead of what was taken. `most_pieces`: apart from each other, that are kept.
  ReceiveStream(size_t window, size_t most_pieces) : window_(window), most_pieces_(most_pieces) {}

  // EMSGSIZE: beyond the window. ENOBUFS: too many pieces; it was not taken and has to come again.
  Result<void> add(uint64_t offset, std::string_view bytes);
  // All that is there in order.
  std::string take();
  // The same, in the place of what `into` held; its memory is used again.
  void take(std::string& into);
  [[nodiscard]] size_t ready() const { return ready_.size(); }
  // Up to where the other may send.
  [[nodiscard]] uint64_t limit() const { return taken_ + window_; }
  [[nodiscard]] size_t window() const { return window_; }

 private:
  size_t window_, most_pieces_;
  uint64_t taken_ = 0;
  std::string ready_;                      // from taken_ on
  std::map<uint64_t, std::string> ahead_;  // beyond it
  size_t ahead_size_ = 0;                  // bytes of those
};

}  // namespace osp::pip::udp
