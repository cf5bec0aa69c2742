#include "pip/udp/rtt.h"

#include <algorithm>
#include <cstdlib>

namespace osp::pip::udp {

void Rtt::sample(int64_t latest_us, int64_t delay_us) {
  latest_us_ = std::max<int64_t>(latest_us, 1);
  if (!has_sample_) {
    has_sample_ = true;
    least_us_ = smoothed_us_ = latest_us_;
    variation_us_ = latest_us_ / 2;
    return;
  }
  least_us_ = std::min(least_us_, latest_us_);
  const int64_t delay = std::min(delay_us, most_ack_delay_us);
  const int64_t adjusted = latest_us_ >= least_us_ + delay ? latest_us_ - delay : latest_us_;
  variation_us_ = (3 * variation_us_ + std::abs(smoothed_us_ - adjusted)) / 4;
  smoothed_us_ = (7 * smoothed_us_ + adjusted) / 8;
}

int64_t Rtt::probe_timeout_us(unsigned count) const {
  const int64_t once = smoothed_us_ + std::max(4 * variation_us_, granularity_us) + most_ack_delay_us;
  const int64_t most = std::clamp(once, usual_probe_timeout_us, most_probe_timeout_us);
  return std::min(once << std::min(count, 10U), most);
}

int64_t Rtt::loss_delay_us() const { return std::max(std::max(smoothed_us_, latest_us_) * 9 / 8, granularity_us); }

int64_t Rtt::persistent_us() const {
  return 3 * (smoothed_us_ + std::max(4 * variation_us_, granularity_us) + most_ack_delay_us);
}

}  // namespace osp::pip::udp
