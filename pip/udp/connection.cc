#include "pip/udp/connection.h"

#include <sodium.h>

#include <algorithm>
#include <utility>

namespace osp::pip::udp {
namespace {

constexpr size_t handshake_pieces = 64, data_pieces = 8192;
constexpr int64_t hurried_probe_us = 200'000;
constexpr int64_t least_path_time_us = 1'000'000;
constexpr unsigned probes_of_nobody = 3;  // unanswered: nobody is there
constexpr std::array kinds = {Kind::handshake, Kind::sealed};

}  // namespace

uint64_t random_number() {
  uint64_t number = 0;
  randombytes_buf(&number, sizeof number);
  return number;
}

// A datagram that is being made.
struct Connection::Draft {
  std::string plain{};
  size_t room = 0;   // for plain
  size_t least = 0;  // of plain: the rest is padding
  bool wants_ack = false;
  SentPacket packet{};
  [[nodiscard]] size_t left() const { return room - std::min(room, plain.size()); }
};

Connection::Connection(Options options)
    : options_(std::move(options)),
      handshake_sealer_(known_cipher()),
      handshake_opener_(known_cipher()),
      handshake_in_(most_handshake, handshake_pieces),
      data_in_(window, data_pieces),
      cubic_(base_datagram),
      mtu_(std::max(options_.most_datagram, base_datagram)),
      path_{.address = options_.peer, .is_validated = options_.role == Role::client} {
  wants_token_ = options_.role == Role::server;
}

void Connection::set_keys(const noise::Handshake::Ciphers& ciphers) {
  sealer_ = PacketSealer(ciphers.send);
  opener_ = PacketOpener(ciphers.receive);
  if (options_.role == Role::client) spaces_[1].wants_probe = true;  // it shows that we are here
}

void Connection::take(std::string& into) {
  data_in_.take(into);
  if (data_in_.limit() - limit_told_ >= window / 4) wants_window_ = true;
}

size_t Connection::bytes_in_flight() const {
  return spaces_[0].sent.bytes_in_flight() + spaces_[1].sent.bytes_in_flight();
}

void Connection::path_has_changed(size_t most) {
  begin_path(std::max(most, base_datagram));
  for (Space& space : spaces_) space.wants_probe = true;
}

int64_t Connection::path_time_us() const { return std::max(least_path_time_us, rtt_.persistent_us()); }

int64_t Connection::probe_time_us() const {
  int64_t since_us = std::max(spaces_[0].sent.last_in_flight_us(), spaces_[1].sent.last_in_flight_us());
  const bool is_greeting = options_.role == Role::client && !handshake_is_over_;
  if (since_us < 0 && !(is_greeting && probed_us_ >= 0)) return INT64_MAX;
  since_us = std::max(since_us, probed_us_);
  const int64_t timeout_us = rtt_.probe_timeout_us(probes_);
  return since_us + (is_in_hurry_ ? std::min(timeout_us, hurried_probe_us) : timeout_us);
}

int64_t Connection::deadline_us() const {
  if (broken_) return INT64_MAX;
  int64_t at_us = probe_time_us();
  for (const Space& space : spaces_) at_us = std::min(at_us, space.sent.loss_time_us(rtt_));
  if (!path_.is_validated && previous_) at_us = std::min(at_us, path_.since_us + path_time_us());
  if (path_.budget() < least_datagram) return at_us;
  for (const Space& space : spaces_) at_us = std::min(at_us, space.ack_due_us);
  return std::min(at_us, paced_us_);
}

void Connection::look_at_clock(int64_t now_us) {
  for (const Kind kind : kinds)
    if (now_us >= space(kind).sent.loss_time_us(rtt_)) lost(kind, space(kind).sent.take_lost(now_us, rtt_), now_us);
  if (!path_.is_validated && previous_ && now_us >= path_.since_us + path_time_us()) {
    std::swap(path_, *previous_);  // nobody answers there
    begin_path(mtu_.most());
  } else if (path_.is_validated && previous_ && !previous_->is_validated && probes_ >= probes_of_nobody) {
    std::swap(path_, *previous_);  // nor here; perhaps what it was asked there, or the answer, got lost
    path_.challenge = options_.random() | 1U;
    path_.since_us = now_us;
    path_.sent -= std::min<uint64_t>(path_.sent, least_datagram);  // a small one a second floods nobody
    wants_challenge_ = true;
    begin_path(mtu_.most());
  }
  if (now_us >= probe_time_us()) probe(now_us);
}

// Nothing has been acknowledged for long: the oldest goes once more, and asks for an answer (RFC 9002, 6.2).
void Connection::probe(int64_t now_us) {
  ++probes_;
  probed_us_ = now_us;
  wants_challenge_ |= path_.challenge != 0 && !path_.is_validated;
  const bool is_greeting = options_.role == Role::client && !handshake_is_over_;
  if (is_greeting || spaces_[0].sent.oldest() != nullptr) probe_one(Kind::handshake);
  if (spaces_[1].sent.oldest() != nullptr) probe_one(Kind::sealed);
}

void Connection::probe_one(Kind kind) {
  space(kind).wants_probe = true;
  if (const SentPacket* oldest = space(kind).sent.oldest(); oldest != nullptr) lost_one(kind, *oldest);
}

bool Connection::may_send_data(int64_t now_us) {
  const bool has_room = bytes_in_flight() + mtu_.size() <= cubic_.window();
  const int64_t ready_us = pacer_.ready_us(now_us, cubic_.window(), rtt_.smoothed_us(), mtu_.size());
  if (has_room && ready_us > now_us) paced_us_ = ready_us;
  if (!has_room || ready_us > now_us) is_held_back_ = true;
  return has_room && ready_us <= now_us;
}

void Connection::draft_ack(Space& space, int64_t now_us, Draft& draft) {
  Frame frame{.type = FrameType::ack,
              .delay_us = static_cast<uint32_t>(std::clamp<int64_t>(now_us - space.largest_us, 0, UINT32_MAX)),
              .ranges = space.received.ranges()};
  if (draft.left() < ack_frame_size + range_size) return;
  frame.ranges.resize(std::min(frame.ranges.size(), (draft.left() - ack_frame_size) / range_size));
  put_frame(frame, draft.plain);
  space.ack_due_us = INT64_MAX;
  space.unacknowledged = 0;
}

void Connection::draft_control(Draft& draft) {
  const auto put = [&](const Frame& frame) {
    put_frame(frame, draft.plain);
    draft.wants_ack = true;
  };
  if (response_) put({.type = FrameType::response, .value = *std::exchange(response_, std::nullopt)});
  if (std::exchange(wants_challenge_, false)) {
    put({.type = FrameType::challenge, .value = path_.challenge});
    draft.packet.has_challenge = true;
  }
  if (draft.room < base_datagram / 2) return;  // the rest can wait until the way is known
  if (std::exchange(wants_window_, false)) {
    put({.type = FrameType::window, .value = limit_told_ = data_in_.limit()});
    draft.packet.has_window = true;
  }
  if (std::exchange(wants_token_, false)) {
    const Token& token = options_.token;
    put({.type = FrameType::token, .bytes = {reinterpret_cast<const char*>(token.data()), token.size()}});
    draft.packet.has_token = true;
  }
}

void Connection::draft_data(Kind kind, int64_t now_us, Draft& draft) {
  const bool is_handshake = kind == Kind::handshake;
  SendStream& stream = is_handshake ? handshake_out_ : data_out_;
  const uint64_t limit = is_handshake ? most_handshake : limit_out_;
  if (draft.left() <= data_frame_size) return;
  if (!stream.has_next(limit)) {
    if (!is_handshake) is_held_back_ = false;
    return;
  }
  if (!space(kind).wants_probe && !may_send_data(now_us)) return;
  const auto piece = stream.next(draft.left() - data_frame_size, limit);
  put_frame({.type = is_handshake ? FrameType::handshake : FrameType::data,
             .value = piece->offset,
             .bytes = stream.bytes(*piece)},
            draft.plain);
  draft.packet.piece = *piece;
  draft.wants_ack = true;
}

// False: nothing is to be sent.
bool Connection::draft(Kind kind, int64_t now_us, Draft& draft) {
  Space& own = space(kind);
  const bool is_probe = own.wants_probe;
  size_t size = mtu_.size();
  if (kind == Kind::handshake || is_probe) size = base_datagram;  // a probe must get through
  if (!path_.is_validated) size = std::min({size, base_datagram, static_cast<size_t>(path_.budget())});
  draft.room = size - head_size - seal_size;
  const int64_t due_us = own.ack_due_us;
  const unsigned count = own.unacknowledged;
  if (kind == Kind::sealed) draft_control(draft);
  if (count > 0) draft_ack(own, now_us, draft);
  draft_data(kind, now_us, draft);
  if (count > 0 && !draft.wants_ack && !is_probe && due_us > now_us) {  // not yet
    own.ack_due_us = due_us, own.unacknowledged = count;
    draft.plain.clear();
  }
  if (!draft.wants_ack && is_probe) {
    put_frame({.type = FrameType::ping}, draft.plain);
    draft.wants_ack = true;
  }
  if (draft.wants_ack) own.wants_probe = false;
  // So that the server may answer as much, also where it does not know us yet, or that we are there now.
  if ((kind == Kind::handshake || is_probe) && options_.role == Role::client && draft.wants_ack)
    draft.least = draft.room;
  return !draft.plain.empty();
}

bool Connection::draft_mtu_probe(int64_t now_us, Draft& draft) {
  const size_t size =
      handshake_is_over_ && path_.is_validated && probes_ == 0 && is_confirmed() ? mtu_.wanted(now_us) : 0;
  if (size == 0 || bytes_in_flight() + size > std::max(cubic_.window(), size)) return false;
  put_frame({.type = FrameType::ping}, draft.plain);
  draft.least = draft.room = size - head_size - seal_size;
  draft.wants_ack = draft.packet.is_mtu_probe = true;
  mtu_.probing();
  return true;
}

void Connection::send(Kind kind, int64_t now_us, Draft& draft, std::string& out) {
  if (draft.plain.size() < draft.least) draft.plain.resize(draft.least);
  const size_t before = out.size();
  const Head head{.kind = kind, .id = options_.id, .number = space(kind).sent.next_number()};
  (kind == Kind::handshake ? handshake_sealer_ : sealer_).seal(head, draft.plain, out);
  const size_t size = out.size() - before;
  draft.packet.sent_us = now_us;
  draft.packet.size = draft.wants_ack ? size : 0;
  space(kind).sent.sent(draft.packet);
  if (draft.wants_ack) pacer_.sent(size);
  if (draft.wants_ack && probed_us_ < 0) probed_us_ = now_us;
  path_.sent += size;
}

bool Connection::next_datagram(int64_t now_us, std::string& out, PeerAddress& to) {
  if (broken_) return false;
  look_at_clock(now_us);
  paced_us_ = INT64_MAX;
  to = path_.address;
  if (path_.budget() < least_datagram) return false;
  Draft made;
  if (closing_ && sealer_.has_key()) {
    put_frame({.type = FrameType::close, .value = static_cast<uint64_t>(*closing_)}, made.plain);
    send(Kind::sealed, now_us, made, out);
    broken_ = Error(ECONNRESET);
    return true;
  }
  if (draft(Kind::handshake, now_us, made)) return send(Kind::handshake, now_us, made, out), true;
  if (!sealer_.has_key()) return false;
  made = {};
  if (draft(Kind::sealed, now_us, made)) return send(Kind::sealed, now_us, made, out), true;
  made = {};
  if (!draft_mtu_probe(now_us, made)) return false;
  send(Kind::sealed, now_us, made, out);
  return true;
}

}  // namespace osp::pip::udp
