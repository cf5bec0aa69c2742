#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "pip/udp/sent_packets.h"

namespace osp::pip::udp {

// Bytes to be sent in order, kept until they are acknowledged.
class SendStream {
 public:
  void write(std::string_view bytes);
  // What is to be sent next, of at most `most` bytes and below offset `limit`: first what was lost. Nothing: nothing
  // is. It is then on its way.
  std::optional<Piece> next(size_t most, uint64_t limit);
  [[nodiscard]] bool has_next(uint64_t limit) const { return !lost_.empty() || next_ < std::min(limit, end()); }
  // Of a piece from next(); valid until the next call.
  [[nodiscard]] std::string_view bytes(const Piece& piece) const;
  void acknowledged(const Piece& piece);
  void lost(const Piece& piece);
  // All bytes that were written and are not acknowledged.
  [[nodiscard]] size_t unacknowledged() const { return static_cast<size_t>(end() - base_); }
  [[nodiscard]] uint64_t end() const { return base_ + buffer_.size() - start_; }

 private:
  void drop_front();

  std::string buffer_;
  size_t start_ = 0;                    // where in it base_ is
  uint64_t base_ = 0;                   // what is below is acknowledged
  uint64_t next_ = 0;                   // what is from here on was never sent
  std::map<uint64_t, uint64_t> acked_;  // above base_: offset to end
  std::map<uint64_t, uint64_t> lost_;   // to be sent again
};

}  // namespace osp::pip::udp
