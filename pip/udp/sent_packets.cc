#include "pip/udp/sent_packets.h"

#include <algorithm>

namespace osp::pip::udp {

void SentPackets::sent(SentPacket packet) {
  packet.number = next_number();
  packet.is_gone = packet.size == 0;
  in_flight_ += packet.size;
  count_in_flight_ += packet.is_gone ? 0 : 1;
  packets_.push_back(packet);
  drop_front();
}

void SentPackets::gone(SentPacket& packet) {
  packet.is_gone = true;
  in_flight_ -= packet.size;
  --count_in_flight_;
}

void SentPackets::drop_front() {
  while (!packets_.empty() && packets_.front().is_gone) packets_.pop_front(), ++first_;
}

Result<SentPackets::Outcome> SentPackets::acknowledged(const std::vector<Range>& ranges) {
  Outcome outcome;
  if (ranges.empty() || ranges.front().last >= next_number()) return fail(EBADMSG);
  const uint64_t largest = ranges.front().last;
  for (const Range& range : ranges) {
    for (uint64_t number = std::max(range.first, first_); number <= range.last; ++number) {
      SentPacket& packet = packets_[number - first_];
      if (packet.is_gone) continue;
      gone(packet);
      if (number == largest) outcome.has_sample = true, outcome.largest_sent_us = packet.sent_us;
      outcome.acked.push_back(packet);
    }
  }
  largest_acked_ = has_largest_ ? std::max(largest_acked_, largest) : largest;
  has_largest_ = true;
  drop_front();
  return outcome;
}

std::vector<SentPacket> SentPackets::take_lost(int64_t now_us, const Rtt& rtt) {
  std::vector<SentPacket> lost;
  if (!has_largest_ || count_in_flight_ == 0) return lost;
  const int64_t delay = rtt.loss_delay_us();
  for (SentPacket& packet : packets_) {
    if (packet.number >= largest_acked_) break;
    if (packet.is_gone) continue;
    const bool is_old = now_us - packet.sent_us >= delay;
    if (packet.number + reordering > largest_acked_ && !is_old) break;  // and so are those after it
    gone(packet);
    lost.push_back(packet);
  }
  drop_front();
  return lost;
}

int64_t SentPackets::loss_time_us(const Rtt& rtt) const {
  const SentPacket* first = oldest();
  if (!has_largest_ || first == nullptr || first->number >= largest_acked_) return INT64_MAX;
  return first->sent_us + rtt.loss_delay_us();
}

int64_t SentPackets::last_in_flight_us() const {
  if (count_in_flight_ == 0) return -1;
  const auto last = std::find_if(packets_.rbegin(), packets_.rend(), [](const auto& one) { return !one.is_gone; });
  return last->sent_us;
}

const SentPacket* SentPackets::oldest() const {
  return packets_.empty() ? nullptr : &packets_.front();  // what is gone has been dropped from there
}

void SentPackets::forget() {
  first_ = next_number();
  packets_.clear();
  in_flight_ = count_in_flight_ = 0;
}

}  // namespace osp::pip::udp
