#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/result.h"
#include "pip/udp/ack_ranges.h"
#include "pip/udp/rtt.h"

namespace osp::pip::udp {

// Bytes of a stream.
struct Piece {
  uint64_t offset = 0;
  size_t size = 0;
  friend bool operator==(const Piece&, const Piece&) = default;
};

// What was sent in a datagram, as far as it matters when it is lost.
struct SentPacket {
  int64_t sent_us = 0;
  size_t size = 0;  // of the datagram, if it counts as in flight; 0: it held acknowledgements only
  Piece piece{};    // of the handshake or the data
  bool has_window = false, has_token = false, has_challenge = false;
  bool is_mtu_probe = false;
  bool is_gone = false;  // acknowledged, or taken as lost
  uint64_t number = 0;   // set by SentPackets
};

// The datagrams of one kind that are on their way, and which of them are lost (RFC 9002, 6.1).
class SentPackets {
 public:
  static constexpr uint64_t reordering = 3;  // numbers; one so much older than one that has arrived is lost

  struct Outcome {
    std::vector<SentPacket> acked{}, lost{};
    bool has_sample = false;  // the largest number is acknowledged for the first time
    int64_t largest_sent_us = 0;
  };

  // It has got the number next_number().
  void sent(SentPacket packet);
  [[nodiscard]] uint64_t next_number() const { return first_ + packets_.size(); }
  // EBADMSG: numbers that were never sent. `now_us` and `rtt`, before this sample, decide about what is lost.
  Result<Outcome> acknowledged(const std::vector<Range>& ranges);
  // What is lost by now.
  std::vector<SentPacket> take_lost(int64_t now_us, const Rtt& rtt);
  // When more will be, unless it is acknowledged before; INT64_MAX: never.
  [[nodiscard]] int64_t loss_time_us(const Rtt& rtt) const;
  // When the last one that is in flight was sent; -1: none is.
  [[nodiscard]] int64_t last_in_flight_us() const;
  // The oldest that is in flight; null: none is.
  [[nodiscard]] const SentPacket* oldest() const;
  [[nodiscard]] size_t bytes_in_flight() const { return in_flight_; }
  [[nodiscard]] bool has_arrived() const { return has_largest_; }
  [[nodiscard]] size_t count() const { return packets_.size(); }
  // None of them matters any more.
  void forget();

 private:
  void gone(SentPacket& packet);
  void drop_front();

  std::deque<SentPacket> packets_;  // by number, from first_ on
  uint64_t first_ = 0;
  uint64_t largest_acked_ = 0;
  bool has_largest_ = false;
  size_t in_flight_ = 0, count_in_flight_ = 0;
};

}  // namespace osp::pip::udp
