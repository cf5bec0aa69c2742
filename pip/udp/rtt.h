#pragma once

#include <cstdint>

namespace osp::pip::udp {

// The round trip's estimate and what follows from it (RFC 9002, 5 and 6). Microseconds.
class Rtt {
 public:
  static constexpr int64_t initial_us = 100'000;
  static constexpr int64_t granularity_us = 1000;
  static constexpr int64_t most_ack_delay_us = 10'000;
  // A probe goes at least so often, for as long as it takes: what makes up for it is that it is one small datagram.
  static constexpr int64_t most_probe_timeout_us = 1'000'000;
  // The answer fits into that second too, where it does not take longer than that anyway.
  static constexpr int64_t usual_probe_timeout_us = 500'000;

  // `delay_us`: how long the other says that it kept the acknowledgement.
  void sample(int64_t latest_us, int64_t delay_us);
  [[nodiscard]] bool has_sample() const { return has_sample_; }
  [[nodiscard]] int64_t smoothed_us() const { return smoothed_us_; }
  [[nodiscard]] int64_t least_us() const { return least_us_; }
  // After so long without an acknowledgement a probe goes; `count`: probes that have gone already.
  [[nodiscard]] int64_t probe_timeout_us(unsigned count) const;
  // One that is so much older than one that has arrived is lost.
  [[nodiscard]] int64_t loss_delay_us() const;
  // All of that time lost: the path is another now (RFC 9002, 7.6).
  [[nodiscard]] int64_t persistent_us() const;

 private:
  bool has_sample_ = false;
  int64_t smoothed_us_ = initial_us, variation_us_ = initial_us / 2, latest_us_ = initial_us, least_us_ = 0;
};

}  // namespace osp::pip::udp
