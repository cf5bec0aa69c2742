#include "pip/udp/cubic.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace osp::pip::udp {

void Cubic::reset(size_t segment) {
  segment_ = static_cast<double>(segment);
  window_ = std::min(10 * segment_, std::max(2 * segment_, 14720.0));  // RFC 9002, 7.2
  threshold_ = std::numeric_limits<double>::infinity();
  most_ = 0;
  epoch_us_ = recovery_us_ = -1;
}

void Cubic::set_segment(size_t segment) {
  segment_ = static_cast<double>(segment);
  window_ = std::max(window_, least());
}

void Cubic::begin_epoch(int64_t now_us) {
  epoch_us_ = now_us;
  estimate_ = window_;
  most_ = std::max(most_, window_);
  period_s_ = std::cbrt((most_ - window_) / segment_ / scale);
}

void Cubic::acknowledged(size_t bytes, int64_t sent_us, int64_t now_us, int64_t rtt_us, bool is_full) {
  if (sent_us <= recovery_us_ || !is_full) return;
  const auto acked = static_cast<double>(bytes);
  if (is_in_slow_start()) return void(window_ += acked);
  if (epoch_us_ < 0) begin_epoch(now_us);
  const double since_s = static_cast<double>(now_us - epoch_us_ + rtt_us) / 1e6 - period_s_;
  const double target = std::clamp(scale * since_s * since_s * since_s * segment_ + most_, window_, 1.5 * window_);
  const double reno = estimate_ >= most_ ? 1.0 : 3 * (1 - decrease) / (1 + decrease);
  estimate_ += reno * segment_ * acked / window_;
  window_ = std::max(window_ + (target - window_) * acked / window_, estimate_);
}

void Cubic::lost(int64_t sent_us, int64_t now_us) {
  if (sent_us <= recovery_us_) return;
  recovery_us_ = now_us;
  epoch_us_ = -1;
  most_ = window_ < most_ ? window_ * (1 + decrease) / 2 : window_;  // fast convergence
  window_ = threshold_ = std::max(window_ * decrease, least());
}

void Cubic::collapse() {
  window_ = least();
  epoch_us_ = -1;
}

}  // namespace osp::pip::udp
