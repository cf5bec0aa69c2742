#include "pip/session_client.h"

#include <algorithm>

#include "pip/wire.h"

namespace osp::pip {
namespace {

// Where in a Tgroup's packet: length[4] type[1] Ssid[4] Tag[8] Acked[8].
constexpr size_t ssid_at = 5;
constexpr size_t acked_at = 17;
constexpr size_t most_recalls = 65536;  // at once: no server has given so many leases, nor asks for so many locks
constexpr OptionSet options = OptionSet::all();

}  // namespace

void SessionClient::hello(uint32_t linger_s, std::string& out) {
  const Tsession session{
      .csid = options_.csid, .uname = options_.user, .afid = no_fid, .token = token_, .linger = linger_s};
  (void)encode_packet(session, options, options_.msize, out);
}

void SessionClient::connected(std::string& out) {
  if (state_ == State::lost) return;
  disconnected();
  state_ = State::greeting;
  const std::string text = option_text(options);
  (void)encode_packet(Tproto{.msize = options_.msize, .nmsgs = default_nmsgs, .options = text}, options, options_.msize,
                      out);
  hello(options_.linger_s, out);  // without waiting for Rproto: one round trip
  if (!token_.empty()) send_to(latest_session, out);
}

void SessionClient::disconnected() {
  if (state_ == State::lost) return;
  state_ = State::idle;
  agreed_ = false;
  answered_ping_.clear();
  recalls_.clear();  // they come again
  lock_news_.clear();
  returns_.clear();
  frames_ = FrameReader(options_.msize);
  sent_ = under_way_ = 0;
  for (auto& [tag, pending] : pending_) pending.is_sent = false;
}

Result<void> SessionClient::receive(std::string_view bytes, std::string& out) {
  frames_.feed(bytes);
  while (true) {
    OSP_ASSIGN(const std::string_view body, frames_.next());
    if (body.empty()) break;
    OSP_TRY(take_packet(body, out));
  }
  send(out);  // the window may have opened
  return {};
}

Result<void> SessionClient::take_packet(std::string_view body, std::string& out) {
  auto decoded = decode_body(body, options, UINT16_MAX);
  // A server that does not know the options says so without them.
  if (!decoded && !agreed_) decoded = decode_body(body, OptionSet(), UINT16_MAX);
  if (!decoded) return std::unexpected(decoded.error());
  const Packet& packet = *decoded;
  if (const auto* r = std::get_if<Rgroup>(&packet.head)) return take_answer(*r, body);
  if (const auto* r = std::get_if<Rproto>(&packet.head)) {
    const auto accepted = parse_options(r->options);
    if (!accepted || *accepted != options || r->msize > options_.msize || r->msize < least_msize)
      return refused(Rerror{.number = EPROTONOSUPPORT});
    msize_ = r->msize;
    agreed_ = true;
    return {};
  }
  if (const auto* r = std::get_if<Rsession>(&packet.head); r != nullptr && agreed_)
    return opened(*r, out), Result<void>{};
  if (std::holds_alternative<Tgroup>(packet.head)) return take_news(packet.messages), Result<void>{};
  if (const auto* r = std::get_if<Rping>(&packet.head)) return answered_ping_ = r->dat, Result<void>{};
  if (const auto* r = std::get_if<Rerror>(&packet.head)) return refused(*r);
  return fail(EPROTO);
}

// Final: a server that speaks no πp of ours, or that does not have our session any more.
Result<void> SessionClient::refused(const Rerror& r) {
  const int code = r.number > 0 && r.number < 4096 ? static_cast<int>(r.number) : agreed_ ? EPROTO : EPROTONOSUPPORT;
  const bool has_no_session = agreed_ && state_ == State::greeting && !token_.empty() && code == ESTALE;
  if (has_no_session || code == EPROTONOSUPPORT) {
    state_ = State::lost;
    error_ = Error(code);
  }
  return fail(code);
}

void SessionClient::opened(const Rsession& session, std::string& out) {
  ssid_ = session.ssid;
  token_ = session.token;
  window_ = std::max<uint16_t>(session.window, 1);
  epoch_ = session.epoch;
  term_s_ = session.term;
  state_ = State::open;
  send(out);
}

Result<void> SessionClient::take_answer(const Rgroup& head, std::string_view body) {
  const auto pending = pending_.find(head.tag);
  if (pending == pending_.end()) return {};  // answered already, on the connection before
  if (!pending->second.forgotten) {
    Answer answer{.bytes = std::make_unique<std::string>(body), .replies = {}};
    OSP_ASSIGN(Packet packet, decode_body(*answer.bytes, options, UINT16_MAX));
    answer.replies = std::move(packet.messages);
    answers_[head.tag] = std::move(answer);
    answered_.push_back(head.tag);
  }
  if (pending->second.is_sent) under_way_ -= pending->second.packet.size();
  pending_.erase(pending);
  acked_ = pending_.empty() ? last_tag_ : pending_.begin()->first - 1;
  return {};
}

Result<uint64_t> SessionClient::submit(const std::vector<Message>& messages, uint16_t flags, std::string& out) {
  if (state_ == State::lost) return std::unexpected(error_);
  Pending pending{.overtakes = (flags & flag_overtakes) != 0};
  const Tgroup head{.ssid = 0, .tag = last_tag_ + 1, .acked = 0, .flags = flags};
  OSP_TRY(encode_group(head, messages, options, state_ == State::open ? msize_ : options_.msize, pending.packet));
  pending_.emplace(++last_tag_, std::move(pending));
  send(out);
  return last_tag_;
}

void SessionClient::send(std::string& out) {
  if (state_ != State::open) return;
  send_to(ssid_, out);
  send_returns(out);
}

// In the order of their tags, as many as the window allows. Those that overtake are for what others wait for, and do
// not wait for room.
void SessionClient::send_to(uint32_t ssid, std::string& out) {
  auto next = pending_.upper_bound(sent_);
  const auto is_in_window = [&] { return next != pending_.end() && next->first < acked_ + window_; };
  for (; is_in_window() && (under_way_ == 0 || under_way_ + next->second.packet.size() <= most_under_way); ++next) {
    send_one(next->second, ssid, out);
    sent_ = next->first;
  }
  for (; is_in_window(); ++next)
    if (next->second.overtakes) send_one(next->second, ssid, out);
}

void SessionClient::send_one(Pending& pending, uint32_t ssid, std::string& out) {
  if (std::exchange(pending.is_sent, true)) return;
  put_number(pending.packet, ssid_at, ssid);
  put_number(pending.packet, acked_at, acked_);
  out += pending.packet;
  under_way_ += pending.packet.size();
}

std::optional<Answer> SessionClient::take(uint64_t tag) {
  const auto found = answers_.find(tag);
  if (found == answers_.end()) return std::nullopt;
  Answer answer = std::move(found->second);
  answers_.erase(found);
  return answer;
}

void SessionClient::forget(uint64_t tag) {
  answers_.erase(tag);
  if (const auto pending = pending_.find(tag); pending != pending_.end()) pending->second.forgotten = true;
}

std::optional<uint64_t> SessionClient::next_answered() {
  while (!answered_.empty()) {
    const uint64_t tag = answered_.front();
    answered_.pop_front();
    if (answers_.contains(tag)) return tag;
  }
  return std::nullopt;
}

void SessionClient::take_news(const std::vector<Message>& messages) {
  const auto take_locks = [this](const auto& t, bool is_retry) {
    if (t.kind < lock_kinds && lock_news_.size() < most_recalls)
      lock_news_.push_back({.fid = t.fid, .kind = static_cast<LockKind>(t.kind), .is_retry = is_retry});
  };
  for (const Message& message : messages) {
    if (const auto* t = std::get_if<Trecall>(&message); t != nullptr && recalls_.size() < most_recalls)
      recalls_.push_back(t->lease);
    if (const auto* t = std::get_if<Tunlock>(&message)) take_locks(*t, false);
    if (const auto* t = std::get_if<Tretry>(&message)) take_locks(*t, true);
  }
}

std::optional<SessionClient::LockNews> SessionClient::next_lock_news() {
  if (lock_news_.empty()) return std::nullopt;
  const LockNews news = lock_news_.front();
  lock_news_.pop_front();
  return news;
}

void SessionClient::keep(uint32_t fid, LockKind kind, const RangeLocks& locks, std::string& out) {
  if (state_ != State::open) return;  // it is asked again
  const std::string packed = pack(locks);
  (void)encode_group(Rgroup{.csid = ssid_}, {Runlock{.fid = fid, .kind = static_cast<uint8_t>(kind), .dat = packed}},
                     options, msize_, out);
}

std::optional<uint64_t> SessionClient::next_recall() {
  if (recalls_.empty()) return std::nullopt;
  const uint64_t lease = recalls_.front();
  recalls_.pop_front();
  return lease;
}

void SessionClient::returned(uint64_t lease, uint64_t after, std::string& out) {
  if (state_ != State::open) return;  // it is asked for again
  returns_.emplace_back(after, lease);
  send_returns(out);
}

void SessionClient::send_returns(std::string& out) {
  for (; !returns_.empty() && returns_.front().first <= sent_; returns_.pop_front())
    (void)encode_group(Rgroup{.csid = ssid_}, {Rrecall{.lease = returns_.front().second}}, options, msize_, out);
}

void SessionClient::ping(std::string_view data, std::string& out) {
  if (state_ != State::idle && state_ != State::lost)
    (void)encode_packet(Tping{.dat = data}, options, options_.msize, out);
}

void SessionClient::end(std::string& out) {
  if (state_ == State::open) hello(0, out);
}

}  // namespace osp::pip
