#include "tools/keeper_upstream.h"

#include <algorithm>
#include <ctime>
#include <thread>

#include "base/log.h"

namespace osp::keeper {
namespace {

constexpr int64_t probe_after_ms = 1000;  // of silence
constexpr int connect_timeout_ms = 1000;
constexpr int first_timeout_ms = 4000;
constexpr int64_t most_pause_ms = 1000;  // between attempts to connect
constexpr uint32_t linger_s = 24 * 60 * 60;

// That of leases goes on while the machine sleeps. CLOCK_BOOTTIME, milliseconds.
int64_t lease_clock_ms() {
  timespec now = {};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

}  // namespace

bool StreamUpstream::leases_hold() const { return lease_clock_ms() < leased_until_ms_; }

// It answers a probe at least every second, if nothing else.
bool StreamUpstream::is_well() const {
  constexpr int64_t just_now_ms = 3000;
  return wire_ != nullptr && link_.session().state() == pip::SessionClient::State::open &&
         now_ms() - heard_ms_ < just_now_ms;
}

StreamUpstream::StreamUpstream(Loop& loop, pip::Address address)
    : loop_(loop), address_(std::move(address)), link_(address_, {.linger_s = linger_s}) {
  loop_.each_tick([this, alive = alive_] {
    if (*alive) tick();
  });
}

Result<std::unique_ptr<StreamUpstream>> StreamUpstream::create(Loop& loop, pip::Address address, std::string& why) {
  std::unique_ptr<StreamUpstream> made(new StreamUpstream(loop, std::move(address)));
  if (const auto opened = made->open(); !opened) {
    why = made->link_.why();
    return std::unexpected(opened.error());
  }
  return made;
}

Result<void> StreamUpstream::open() {
  begin_connect();
  const int64_t give_up_ms = now_ms() + first_timeout_ms;
  while (session().state() != pip::SessionClient::State::open) {
    if (connect_error_ != 0) return fail(connect_error_);
    if (session().state() == pip::SessionClient::State::lost) return std::unexpected(session().error());
    if (now_ms() > give_up_ms) return fail(ETIMEDOUT);
    opening_.wait();
  }
  return {};
}

StreamUpstream::~StreamUpstream() {
  *alive_ = false;
  if (wire_ == nullptr) return;
  link_.end(out_);
  if (wire_->send(out_)) wire_->finish();
  loop_.forget(wire_->fd());
}

// In a thread of its own, since a name server or a silent host can keep it for long.
void StreamUpstream::begin_connect() {
  connecting_ = true;
  std::thread([this, &loop = loop_, address = address_, alive = alive_] {
    auto made = pip::ClientWire::connect(address, connect_timeout_ms);
    auto shared = std::make_shared<decltype(made)>(std::move(made));
    loop.post([this, shared, alive] {
      if (*alive) connected(std::move(*shared));
    });
  }).detach();
}

void StreamUpstream::connected(Result<std::unique_ptr<pip::ClientWire>> wire) {
  connecting_ = false;
  if (!wire) {
    connect_error_ = wire.error().code;
    pause_ms_ = std::clamp<int64_t>(pause_ms_ * 2, 20, most_pause_ms);
    next_attempt_ms_ = now_ms() + pause_ms_;
    opening_.wake_all();
    return;
  }
  connect_error_ = 0;
  heard_ms_ = probed_ms_ = now_ms();
  out_.clear();
  if (const auto begun = begin(std::move(*wire)); !begun) drop(begun.error());
}

Result<void> StreamUpstream::begin(std::unique_ptr<pip::ClientWire> wire) {
  wire_ = std::move(wire);
  OSP_TRY(wire_->begin(link_));
  watched_ = wire_->events();  // of epoll(7) they have the same numbers
  return loop_.watch(wire_->fd(), static_cast<uint32_t>(watched_), [this](uint32_t) { serve(); });
}

void StreamUpstream::drop(Error why) {
  if (wire_ == nullptr) return;
  const bool was_open = session().state() == pip::SessionClient::State::open;
  tell(why);
  loop_.forget(wire_->fd());
  wire_.reset();
  if (!was_open) connect_error_ = why.code;     // counts only while it is the first time
  const bool was_long = why.code == ETIMEDOUT;  // it has waited enough
  pause_ms_ = was_open || was_long ? 0 : std::clamp<int64_t>(pause_ms_ * 2, 20, most_pause_ms);
  link_.disconnected();
  next_attempt_ms_ = now_ms() + pause_ms_;
  opening_.wake_all();
  if (session().state() == pip::SessionClient::State::lost) return wake_everyone();
  reconnect();
}

// Unless it is too early; then a later tick does. The first connection is tried once.
void StreamUpstream::reconnect() {
  const bool was_open = !session().token().empty();
  if (was_open && !connecting_ && now_ms() >= next_attempt_ms_) begin_connect();
}

// Programs wait meanwhile, so a person is told why; once, and not who opens it, who gets the error.
void StreamUpstream::tell(Error why) {
  const bool is_resumed = !session().token().empty();
  if (is_resumed && !link_.why().empty() && link_.why() != told_) log::error("keeper", "{}", told_ = link_.why());
  log::info("keeper", "lost the connection to {}: {}", address_.text(), describe(why));
}

void StreamUpstream::tick() {
  const int64_t now = now_ms();
  opening_.wake_all();
  if (session().state() == pip::SessionClient::State::lost) return;
  if (wire_ == nullptr) return reconnect();
  if (now - heard_ms_ >= wire_->most_silence().count()) return drop(Error(ETIMEDOUT));
  if (now - probed_ms_ < probe_after_ms) return;
  ping();
  send();
}

// Shows that the server is there, and it that we are: leases hold for their term from here on, if it answers.
void StreamUpstream::ping() {
  probed_ms_ = now_ms();
  const bool is_open = session().state() == pip::SessionClient::State::open;  // else the session is not heard
  link_.ping(is_open ? std::to_string(lease_clock_ms()) : std::string(), out_);
}

void StreamUpstream::returned(uint64_t lease, uint64_t after) {
  link_.returned(lease, after, out_);
  flush_soon();
}

void StreamUpstream::keep(uint32_t fid, pip::LockKind kind, const pip::RangeLocks& locks) {
  link_.keep(fid, kind, locks, out_);
  flush_soon();
}

void StreamUpstream::take_lock_news() {
  while (const auto news = session().next_lock_news()) {
    if (lock_holder() == nullptr) continue;
    if (news->is_retry) {
      lock_holder()->may_retry(news->fid, news->kind);
    } else {
      lock_holder()->asked(news->fid, news->kind);
    }
  }
}

void StreamUpstream::flush_soon() {
  if (wire_ == nullptr) return;
  if (const auto sent = wire_->send(out_); !sent) log::debug("keeper", "{}", describe(sent.error()));  // noticed later
  watch();
}

// First what is gone, then what still holds.
void StreamUpstream::take_leases() {
  if (std::exchange(epoch_, session().lease_epoch()) != session().lease_epoch() && holder() != nullptr)
    holder()->leases_lost();
  while (const auto lease = session().next_recall()) {
    if (holder() != nullptr) holder()->recalled(*lease);
  }
  const std::string& answered = session().answered_ping();
  const int64_t sent = answered.size() < 18 ? std::strtoll(answered.c_str(), nullptr, 10) : 0;
  constexpr uint32_t longest_term_s = 3600;
  const int64_t term_ms = int64_t{std::min(session().lease_term_s(), longest_term_s)} * 1000;
  if (sent > 0 && sent <= lease_clock_ms()) leased_until_ms_ = sent + term_ms;
}

void StreamUpstream::serve() {
  const auto received = receive();
  wake_answered();
  if (received) return send();
  if (session().state() == pip::SessionClient::State::lost)
    log::error("keeper", "{}: the session is lost: {}", address_.text(), describe(session().error()));
  drop(received.error());
}

Result<void> StreamUpstream::receive() {
  const bool was_open = session().state() == pip::SessionClient::State::open;
  OSP_ASSIGN(const bool was_heard, wire_->serve());
  if (!was_heard) return {};
  heard_ms_ = now_ms();
  take_leases();
  take_lock_news();
  if (!was_open && session().state() == pip::SessionClient::State::open) {
    pause_ms_ = 0, told_.clear();
    ping();  // only now the server surely hears it as the session's
  }
  if (!was_open) opening_.wake_all();
  return {};
}

void StreamUpstream::send() {
  if (wire_ == nullptr) return;
  if (const auto sent = wire_->send(out_); !sent) return drop(sent.error());
  watch();
}

void StreamUpstream::watch() {
  if (std::exchange(watched_, wire_->events()) != watched_) loop_.change(wire_->fd(), static_cast<uint32_t>(watched_));
}

void StreamUpstream::wake_answered() {
  while (const auto tag = session().next_answered()) {
    const auto found = waiting_.find(*tag);
    if (found == waiting_.end()) continue;
    jobs().resume(found->second);
    waiting_.erase(found);
  }
}

void StreamUpstream::wake_everyone() {
  for (const auto& [tag, job] : std::exchange(waiting_, {})) jobs().resume(job);
}

Result<uint64_t> StreamUpstream::submit(const std::vector<pip::Message>& messages, uint16_t flags) {
  OSP_ASSIGN(const uint64_t tag, link_.submit(messages, flags, out_));
  send();
  return tag;
}

Result<pip::Answer> StreamUpstream::wait(uint64_t tag) {
  while (true) {
    if (auto answer = session().take(tag)) return std::move(*answer);
    if (session().state() == pip::SessionClient::State::lost) return std::unexpected(session().error());
    waiting_[tag] = jobs().current();
    jobs().park();
  }
}

}  // namespace osp::keeper
