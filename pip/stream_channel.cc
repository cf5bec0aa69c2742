#include "pip/stream_channel.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <thread>

#include "base/log.h"

namespace osp::pip {
namespace {

using namespace std::chrono_literals;

constexpr auto probe_after = 1s;   // of silence
constexpr auto broken_after = 3s;  // of silence, in spite of probes
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
    if (fd_.get() < 0) return std::unexpected(broken_);
  }
  return {};
}

StreamChannel::~StreamChannel() {
  if (fd_.get() < 0) return;
  link_.end(out_);
  (void)flush();
}

Result<void> StreamChannel::connect() {
  OSP_ASSIGN(fd_, connect_stream(address_, connect_timeout_ms));
  out_.clear();
  out_sent_ = 0;
  OSP_TRY(link_.connected(out_));
  heard_ = Clock::now();
  return {};
}

void StreamChannel::drop(Error why) {
  const bool was_open = session().state() == SessionClient::State::open;
  fd_ = HostFd();
  link_.disconnected();
  if (!was_open && reconnections_ > 0) pause();
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
  if (fd_.get() >= 0) flush_or_drop();
  return tag;
}

Result<Answer> StreamChannel::wait(uint64_t tag) {
  while (true) {
    if (auto answer = session().take(tag)) return std::move(*answer);
    if (session().state() == SessionClient::State::lost) return std::unexpected(session().error());
    OSP_TRY(fd_.get() < 0 ? reconnect() : pump());
  }
}

// Sends and receives once; a broken connection is dropped. An error only when the session is lost.
Result<void> StreamChannel::pump() {
  const bool sending = out_sent_ < out_.size();
  pollfd poll_fd{.fd = fd_.get(), .events = static_cast<short>(sending ? POLLIN | POLLOUT : POLLIN), .revents = 0};
  const int ready = poll(&poll_fd, 1, static_cast<int>(std::chrono::milliseconds(probe_after).count()));
  if (ready == 0) {
    if (Clock::now() - heard_ >= broken_after) {
      drop(Error(ETIMEDOUT));
    } else {
      link_.ping("", out_);
      flush_or_drop();
    }
    return {};
  }
  if (ready < 0) return {};
  const auto transferred = transfer(poll_fd.revents);
  if (transferred) return {};
  drop(transferred.error());
  return session().state() == SessionClient::State::lost ? std::unexpected(session().error()) : Result<void>{};
}

Result<void> StreamChannel::transfer(short events) {
  if ((events & POLLOUT) != 0) OSP_TRY(flush());
  if ((events & (POLLIN | POLLHUP | POLLERR)) == 0) return {};
  std::array<char, 262144> buffer;
  const ssize_t size = recv(fd_.get(), buffer.data(), buffer.size(), 0);
  if (size == 0) return fail(ECONNRESET);
  if (size < 0) return errno == EAGAIN || errno == EINTR ? Result<void>{} : fail(errno);
  heard_ = Clock::now();
  OSP_TRY(link_.receive(std::string_view(buffer.data(), static_cast<size_t>(size)), out_));
  if (session().state() == SessionClient::State::open) open_ = heard_, pause_ = least_pause;
  return flush();
}

void StreamChannel::flush_or_drop() {
  if (const auto flushed = flush(); !flushed) drop(flushed.error());
}

Result<void> StreamChannel::flush() { return send_queued(fd_.get(), out_, out_sent_); }

}  // namespace osp::pip
