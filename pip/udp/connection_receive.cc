// What arrives on a connection (connection.h).
#include <sodium.h>

#include <algorithm>

#include "pip/udp/connection.h"

namespace osp::pip::udp {
namespace {

constexpr unsigned large_lost_in_a_row = 8;  // and the path does not take them any more

bool same(const Token& one, const Token& other) { return sodium_memcmp(one.data(), other.data(), one.size()) == 0; }

bool belongs(Kind kind, FrameType type) {
  switch (type) {
    case FrameType::padding:
    case FrameType::ping:
    case FrameType::ack:
      return true;
    case FrameType::handshake:
      return kind == Kind::handshake;
    default:
      return kind == Kind::sealed;
  }
}

}  // namespace

bool Connection::open(const Head& head, std::string_view datagram, std::string& plain) {
  if (head.kind == Kind::unknown) {
    const auto token = read_unknown(datagram);
    // A server that was killed before it could tell its token has nothing else to show.
    const bool is_greeting = options_.role == Role::client && has_keys() && !token_;
    if (token && (is_greeting || (token_ && same(*token, *token_)))) broken_ = Error(ECONNRESET);
    return false;
  }
  if (space(head.kind).received.contains(head.number)) return false;
  PacketOpener& opener = head.kind == Kind::handshake ? handshake_opener_ : opener_;
  return opener.open(head, datagram, plain).has_value();
}

void Connection::receive(std::string_view datagram, const PeerAddress& from, int64_t now_us) {
  const auto head = read_head(datagram);
  std::string plain;
  if (!head || head->id != options_.id || broken_ || !open(*head, datagram, plain)) return;
  note_path(*head, from, datagram.size(), now_us);
  heard_us_ = now_us;
  is_in_hurry_ = false;
  const auto wants_ack = take_frames(head->kind, plain, now_us);
  if (wants_ack) note_received(space(head->kind), head->number, *wants_ack, now_us);
}

// Whether an acknowledgement is wanted. An error: something was not taken, and has to come again.
Result<bool> Connection::take_frames(Kind kind, std::string_view plain, int64_t now_us) {
  bool wants_ack = false;
  for (Reader in(plain);;) {
    OSP_ASSIGN(const auto frame, next_frame(in));
    if (!frame) return wants_ack;
    if (!belongs(kind, frame->type)) return fail(EBADMSG);
    wants_ack |= frame->type != FrameType::ack && frame->type != FrameType::close;
    OSP_TRY(take_frame(kind, *frame, now_us));
  }
}

Result<void> Connection::take_frame(Kind kind, const Frame& frame, int64_t now_us) {
  switch (frame.type) {
    case FrameType::ack:
      return take_ack(kind, frame, now_us);
    case FrameType::data:
      return data_in_.add(frame.value, frame.bytes);
    case FrameType::handshake:
      return handshake_is_over_ ? Result<void>{} : handshake_in_.add(frame.value, frame.bytes);
    case FrameType::window:
      limit_out_ = std::max(limit_out_, frame.value);
      break;
    case FrameType::challenge:
      response_ = frame.value;
      break;
    case FrameType::response:
      if (path_.challenge != 0 && frame.value == path_.challenge) path_.is_validated = true;
      break;
    case FrameType::close:
      broken_ = Error(ECONNRESET);
      break;
    case FrameType::token:
      if (options_.role == Role::client) std::ranges::copy(frame.bytes, token_.emplace().begin());
      break;
    case FrameType::padding:
    case FrameType::ping:
      break;
  }
  return {};
}

Result<void> Connection::take_ack(Kind kind, const Frame& frame, int64_t now_us) {
  SentPackets& sent = space(kind).sent;
  OSP_ASSIGN(const SentPackets::Outcome outcome, sent.acknowledged(frame.ranges));
  if (outcome.has_sample) rtt_.sample(now_us - outcome.largest_sent_us, frame.delay_us);
  const int64_t newest_before_us = newest_acked_us_;
  for (const SentPacket& packet : outcome.acked) acknowledged(kind, packet, now_us);
  if (!outcome.acked.empty()) probes_ = 0;
  auto gone = sent.take_lost(now_us, rtt_);
  lost(kind, gone, now_us);
  std::erase_if(gone, [&](const SentPacket& packet) { return packet.sent_us <= newest_before_us; });
  if (gone.size() > 1 && gone.back().sent_us - gone.front().sent_us >= rtt_.persistent_us()) cubic_.collapse();
  return {};
}

void Connection::acknowledged(Kind kind, const SentPacket& packet, int64_t now_us) {
  (kind == Kind::handshake ? handshake_out_ : data_out_).acknowledged(packet.piece);
  newest_acked_us_ = std::max(newest_acked_us_, packet.sent_us);
  wants_challenge_ |= packet.has_challenge && !path_.is_validated;  // the answer, which comes with this, got lost
  if (packet.size > base_datagram) large_lost_ = 0;
  if (packet.is_mtu_probe) {
    mtu_.acknowledged(packet.size);
    cubic_.set_segment(mtu_.size());
  }
  cubic_.acknowledged(packet.size, packet.sent_us, now_us, rtt_.smoothed_us(), is_held_back_);
}

void Connection::lost(Kind kind, const std::vector<SentPacket>& packets, int64_t now_us) {
  int64_t newest_us = -1;
  for (const SentPacket& packet : packets) {
    if (packet.is_mtu_probe) {
      mtu_.probe_lost(now_us);
      continue;
    }
    lost_one(kind, packet);
    newest_us = packet.sent_us;
    if (packet.size > base_datagram) ++large_lost_;
  }
  if (newest_us >= 0) cubic_.lost(newest_us, now_us);
  if (large_lost_ < large_lost_in_a_row) return;
  large_lost_ = 0;
  mtu_.reset(mtu_.most());
  cubic_.set_segment(mtu_.size());
}

void Connection::lost_one(Kind kind, const SentPacket& packet) {
  (kind == Kind::handshake ? handshake_out_ : data_out_).lost(packet.piece);
  wants_window_ |= packet.has_window;
  wants_token_ |= packet.has_token;
  wants_challenge_ |= packet.has_challenge && !path_.is_validated;
}

void Connection::note_received(Space& space, uint64_t number, bool wants_ack, int64_t now_us) {
  const bool is_next = space.received.empty() ? number == 0 : number == space.received.largest() + 1;
  if (space.received.empty() || number > space.received.largest()) space.largest_us = now_us;
  space.received.add(number);
  if (!wants_ack) return;
  const bool at_once = !is_next || ++space.unacknowledged >= 2 || &space == spaces_.data();
  space.unacknowledged = std::max(space.unacknowledged, 1U);
  space.ack_due_us = at_once ? now_us : std::min(space.ack_due_us, now_us + Rtt::most_ack_delay_us);
}

// A sealed datagram newer than all others from another address: the client is there now, or somebody in between makes
// it look so; that is found out (RFC 9000, 9).
void Connection::note_path(const Head& head, const PeerAddress& from, size_t size, int64_t now_us) {
  if (options_.role == Role::client) return;
  const AckRanges& received = space(head.kind).received;
  const bool is_newest = received.empty() || head.number > received.largest();
  if (from != path_.address && is_newest && head.kind == Kind::sealed) move_to(from, now_us);
  if (from != path_.address && is_newest && !is_confirmed()) path_ = Path{.address = from};  // it begins there
  if (from != path_.address) return;
  path_.received += size;
  // Who has the keys has got what was sent there, if it is where the handshake was.
  if (head.kind == Kind::sealed && path_.challenge == 0) path_.is_validated = true;
}

void Connection::move_to(const PeerAddress& from, int64_t now_us) {
  std::optional<Path> left;
  if (path_.is_validated) left = path_;
  if (previous_ && previous_->is_validated && previous_->address == from) {
    path_ = *previous_;
  } else {
    path_ = Path{.address = from, .challenge = options_.random() | 1U, .since_us = now_us};
    wants_challenge_ = true;
  }
  if (left) previous_ = left;
  begin_path(mtu_.most());
}

void Connection::begin_path(size_t most) {
  mtu_.reset(most);
  cubic_.reset(mtu_.size());
  probes_ = 0;
}

}  // namespace osp::pip::udp
