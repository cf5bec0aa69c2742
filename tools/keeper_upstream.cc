#include "tools/keeper_upstream.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <thread>

#include "base/log.h"

namespace osp::keeper {
namespace {

constexpr int64_t probe_after_ms = 1000;   // of silence
constexpr int64_t broken_after_ms = 3000;  // of silence, in spite of probes
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
  return fd_.get() >= 0 && link_.session().state() == pip::SessionClient::State::open &&
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
  if (fd_.get() < 0) return;
  link_.end(out_);
  (void)flush();
  loop_.forget(fd_.get());
}

// In a thread of its own, since a name server or a silent host can keep it for long.
void StreamUpstream::begin_connect() {
  connecting_ = true;
  std::thread([this, &loop = loop_, address = address_, alive = alive_] {
    auto made = pip::connect_stream(address, connect_timeout_ms);
    auto shared = std::make_shared<Result<pip::HostFd>>(std::move(made));
    loop.post([this, shared, alive] {
      if (*alive) connected(std::move(*shared));
    });
  }).detach();
}

void StreamUpstream::connected(Result<pip::HostFd> fd) {
  connecting_ = false;
  if (!fd) {
    connect_error_ = fd.error().code;
    pause_ms_ = std::clamp<int64_t>(pause_ms_ * 2, 20, most_pause_ms);
    next_attempt_ms_ = now_ms() + pause_ms_;
    opening_.wake_all();
    return;
  }
  fd_ = std::move(*fd);
  connect_error_ = 0;
  heard_ms_ = probed_ms_ = now_ms();
  out_.clear();
  out_sent_ = 0;
  watched_ = EPOLLIN;
  if (const auto begun = link_.connected(out_); !begun) return drop(begun.error());
  if (const auto watched = loop_.watch(fd_.get(), watched_, [this](uint32_t events) { serve(events); }); !watched)
    return drop(watched.error());
  send();
}

void StreamUpstream::drop(Error why) {
  if (fd_.get() < 0) return;
  const bool was_open = session().state() == pip::SessionClient::State::open;
  tell(why);
  loop_.forget(fd_.get());
  fd_ = pip::HostFd();
  if (!was_open) connect_error_ = why.code;  // counts only while it is the first time
  pause_ms_ = was_open ? 0 : std::clamp<int64_t>(pause_ms_ * 2, 20, most_pause_ms);
  link_.disconnected();
  next_attempt_ms_ = now_ms() + pause_ms_;
  opening_.wake_all();
  if (session().state() == pip::SessionClient::State::lost) wake_everyone();
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
  if (fd_.get() < 0) {
    const bool was_open = !session().token().empty();
    if (was_open && !connecting_ && now >= next_attempt_ms_) begin_connect();
    return;
  }
  if (now - heard_ms_ >= broken_after_ms) return drop(Error(ETIMEDOUT));
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
  if (const auto flushed = flush(); !flushed) log::debug("keeper", "{}", describe(flushed.error()));  // noticed later
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

void StreamUpstream::serve(uint32_t events) {
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
    const auto received = receive();
    wake_answered();
    if (!received) {
      if (session().state() == pip::SessionClient::State::lost)
        log::error("keeper", "{}: the session is lost: {}", address_.text(), describe(session().error()));
      return drop(received.error());
    }
  }
  send();
}

Result<void> StreamUpstream::receive() {
  static std::array<char, 512 * 1024> buffer;  // one loop a process
  const bool was_open = session().state() == pip::SessionClient::State::open;
  const ssize_t size = recv(fd_.get(), buffer.data(), buffer.size(), 0);
  if (size == 0) return fail(ECONNRESET);
  if (size < 0) return errno == EAGAIN || errno == EINTR ? Result<void>{} : fail(errno);
  heard_ms_ = now_ms();
  OSP_TRY(link_.receive(std::string_view(buffer.data(), static_cast<size_t>(size)), out_));
  take_leases();
  take_lock_news();
  if (!was_open && session().state() == pip::SessionClient::State::open) {
    pause_ms_ = 0, told_.clear();
    ping();  // only now the server surely hears it as the session's
  }
  if (!was_open) opening_.wake_all();
  return {};
}

Result<void> StreamUpstream::flush() { return pip::send_queued(fd_.get(), out_, out_sent_); }

void StreamUpstream::send() {
  if (fd_.get() < 0) return;
  if (const auto flushed = flush(); !flushed) return drop(flushed.error());
  const uint32_t events = EPOLLIN | (out_sent_ < out_.size() ? EPOLLOUT : 0U);
  if (events != watched_) loop_.change(fd_.get(), watched_ = events);
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
