#pragma once

#include <cstddef>
#include <cstdint>

namespace osp::pip::udp {

// How large a datagram the path takes: tries larger ones with padding (DPLPMTUD, RFC 8899).
class MtuSearch {
 public:
  // `most`: that may be tried at all, from the interface.
  explicit MtuSearch(size_t most) : most_(most) {}

  // Sure to arrive.
  [[nodiscard]] size_t size() const;
  // What to try now; 0: nothing.
  [[nodiscard]] size_t wanted(int64_t now_us) const;
  void probing() { is_probing_ = true; }
  void acknowledged(size_t size);
  void probe_lost(int64_t now_us);
  // Datagrams of size() get lost while small ones arrive, or the path is another: begins anew.
  void reset(size_t most);
  [[nodiscard]] size_t most() const { return most_; }

 private:
  static constexpr unsigned most_tries = 3;
  static constexpr int64_t again_after_us = 600'000'000;
  size_t most_;
  size_t step_ = 0;  // of the ladder: sure
  unsigned tries_ = 0;
  bool is_probing_ = false;
  int64_t again_us_ = 0;
};

}  // namespace osp::pip::udp
