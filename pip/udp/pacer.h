#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace osp::pip::udp {

// Spreads a window over its round trip (RFC 9002, 7.7), so that no queue on the way has to take it at once.
class Pacer {
 public:
  // When the next datagram may go, at the rate of `window` bytes a round trip and somewhat more. INT64_MIN: now.
  [[nodiscard]] int64_t ready_us(int64_t now_us, size_t window, int64_t rtt_us, size_t segment) {
    rate_ = 1.25 * static_cast<double>(window) / static_cast<double>(std::max<int64_t>(rtt_us, 1));
    const double most = std::max(10.0 * static_cast<double>(segment), rate_ * burst_us);
    credit_ = std::min(most, credit_ + rate_ * static_cast<double>(now_us - since_us_));
    since_us_ = now_us;
    if (credit_ > 0) return INT64_MIN;
    return now_us + std::max<int64_t>(1, static_cast<int64_t>(-credit_ / rate_) + 1);
  }
  void sent(size_t size) { credit_ -= static_cast<double>(size); }

 private:
  static constexpr double burst_us = 3000;  // timers come about so late
  double rate_ = 0, credit_ = 0;            // bytes a microsecond, bytes
  int64_t since_us_ = 0;
};

}  // namespace osp::pip::udp
