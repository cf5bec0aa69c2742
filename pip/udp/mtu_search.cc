#include "pip/udp/mtu_search.h"

#include <array>

#include "pip/udp/packet.h"

namespace osp::pip::udp {
namespace {

// What links leave for a datagram, below the most that IPv4 takes: of IPv6 in tunnels, of PPPoE, of Ethernet by IPv6
// and IPv4, of jumbo frames, of loopback (of larger ones too few fit into a socket).
constexpr std::array<size_t, 9> ladder = {base_datagram, 1280, 1352, 1412, 1452, 1472, 4052, 8952, 16384};

}  // namespace

size_t MtuSearch::size() const { return ladder[step_]; }

size_t MtuSearch::wanted(int64_t now_us) const {
  if (is_probing_ || now_us < again_us_ || step_ + 1 == ladder.size() || ladder[step_ + 1] > most_) return 0;
  return ladder[step_ + 1];
}

void MtuSearch::acknowledged(size_t size) {
  if (step_ + 1 == ladder.size() || size != ladder[step_ + 1]) return;
  ++step_;
  tries_ = 0;
  is_probing_ = false;
}

void MtuSearch::probe_lost(int64_t now_us) {
  is_probing_ = false;
  if (++tries_ < most_tries) return;
  tries_ = 0;
  again_us_ = now_us + again_after_us;
}

void MtuSearch::reset(size_t most) { *this = MtuSearch(most); }

}  // namespace osp::pip::udp
