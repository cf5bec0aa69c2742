#pragma once

#include <cstddef>
#include <cstdint>

namespace osp::pip::udp {

// The congestion window, in bytes: CUBIC (RFC 9438) with RFC 9002's rules of recovery.
class Cubic {
 public:
  explicit Cubic(size_t segment) { reset(segment); }

  // A new path: begins anew.
  void reset(size_t segment);
  // Datagrams have become larger or smaller.
  void set_segment(size_t segment);
  // `is_full`: the window, and nothing else, held back what there was to send.
  void acknowledged(size_t bytes, int64_t sent_us, int64_t now_us, int64_t rtt_us, bool is_full);
  // The newest of those that were lost at once.
  void lost(int64_t sent_us, int64_t now_us);
  // Nothing has got through for so long that the path must be another.
  void collapse();
  [[nodiscard]] size_t window() const { return static_cast<size_t>(window_); }
  [[nodiscard]] bool is_in_slow_start() const { return window_ < threshold_; }

 private:
  static constexpr double scale = 0.4;     // C, segments a second³
  static constexpr double decrease = 0.7;  // β
  [[nodiscard]] double least() const { return 2.0 * segment_; }
  void begin_epoch(int64_t now_us);

  double segment_ = 0, window_ = 0, threshold_ = 0;
  double most_ = 0;      // W_max, bytes
  double estimate_ = 0;  // W_est: what Reno would have, bytes
  double period_s_ = 0;  // K
  int64_t epoch_us_ = -1;
  int64_t recovery_us_ = -1;  // losses of what was sent before count no more
};

}  // namespace osp::pip::udp
