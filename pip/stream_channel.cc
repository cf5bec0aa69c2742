#include "pip/stream_channel.h"

#include <poll.h>

#include <algorithm>
#include <thread>

#include "base/log.h"

namespace osp::pip {
namespace {

using namespace std::chrono_literals;

constexpr auto probe_after = 1s;  // of silence
constexpr int connect_timeout_ms = 1000;

}  // namespace

Result<std::unique_ptr<StreamChannel>> StreamChannel::create(Address address, const Options& options,
                                                             std::string* why) {
  std::unique_ptr<StreamChannel> channel(new StreamChannel(std::move(address), options));
  auto opened = channel->open();
  if (!opened && why != nullptr) *why = channel->link_.why();
  if (!opened) return std::unexpected(opened.error());
  return channel;
}

Result<void> StreamChannel::open() {
  OSP_TRY(connect());
  while (session().state() == SessionClient::State::greeting) {
    OSP_TRY(pump());
    if (wire_ == nullptr) return std::unexpected(broken_);
  }
  return {};
}

StreamChannel::~StreamChannel() {
  if (wire_ == nullptr) return;
  link_.end(out_);
  if (wire_->send(out_)) wire_->finish();
}

Result<void> StreamChannel::connect() {
  OSP_ASSIGN(wire_, ClientWire::connect(address_, connect_timeout_ms));
  out_.clear();
  heard_ = Clock::now();
  return wire_->begin(link_);
}

void StreamChannel::drop(Error why) {
  const bool was_open = session().state() == SessionClient::State::open;
  wire_.reset();
  link_.disconnected();
  if (!was_open && reconnections_ > 0 && why.code != ETIMEDOUT) pause();  // after that it has waited enough
  broken_ = why;
  log::info("pip", "lost the connection to {}: {}", address_.text(), describe(why));
}

// One attempt. It is a good one when the session is open again; until then each waits longer for the next.
Result<void> StreamChannel::reconnect() {
  if (broken_.code == EACCES || broken_.code == EKEYREJECTED) {
    log::error("pip", "{}", link_.why());
    return std::unexpected(broken_);
  }
  if (options_.give_up_after > 0s && Clock::now() - open_ > options_.give_up_after) return fail(ETIMEDOUT);
  if (connect()) {
    ++reconnections_;
    return {};
  }
  return pause(), Result<void>{};
}

void StreamChannel::pause() {
  std::this_thread::sleep_for(pause_);
  pause_ = std::min(pause_ * 2, most_pause);
}

Result<uint64_t> StreamChannel::submit(const std::vector<Message>& messages, uint16_t flags) {
  OSP_ASSIGN(const uint64_t tag, link_.submit(messages, flags, out_));
  send();
  return tag;
}

Result<Answer> StreamChannel::wait(uint64_t tag) {
  while (true) {
    if (auto answer = session().take(tag)) return std::move(*answer);
    if (session().state() == SessionClient::State::lost) return std::unexpected(session().error());
    OSP_TRY(wire_ == nullptr ? reconnect() : pump());
  }
}

// Sends and receives once; a broken connection is dropped. An error only when the session is lost.
Result<void> StreamChannel::pump() {
  pollfd poll_fd{.fd = wire_->fd(), .events = wire_->events(), .revents = 0};
  const int ready = poll(&poll_fd, 1, static_cast<int>(std::chrono::milliseconds(probe_after).count()));
  if (ready < 0) return {};
  auto served = ready > 0 ? serve() : Result<void>{};
  const auto silence = Clock::now() - heard_;
  if (served && silence >= wire_->most_silence()) served = fail(ETIMEDOUT);
  if (served && silence >= probe_after && Clock::now() - probed_ >= probe_after) {
    probed_ = Clock::now();
    link_.ping("", out_);
    send();
  }
  if (served) return {};
  drop(served.error());
  return session().state() == SessionClient::State::lost ? std::unexpected(session().error()) : Result<void>{};
}

Result<void> StreamChannel::serve() {
  OSP_ASSIGN(const bool was_heard, wire_->serve());
  if (!was_heard) return {};
  heard_ = Clock::now();
  if (session().state() == SessionClient::State::open) open_ = heard_, pause_ = least_pause;
  return {};
}

void StreamChannel::send() {
  if (wire_ == nullptr) return;
  if (const auto sent = wire_->send(out_); !sent) drop(sent.error());
}

}  // namespace osp::pip
