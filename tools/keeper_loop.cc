#include "tools/keeper_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "tools/keeper_jobs.h"

namespace osp::keeper {
namespace {

constexpr int64_t tick_ms = 250;

}  // namespace

int64_t now_ms() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

Result<std::unique_ptr<Loop>> Loop::create() {
  auto loop = std::make_unique<Loop>();
  loop->epoll_ = pip::HostFd(epoll_create1(EPOLL_CLOEXEC));
  loop->posted_event_ = pip::HostFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (loop->epoll_.get() < 0 || loop->posted_event_.get() < 0) return fail(errno);
  OSP_TRY(loop->watch(loop->posted_event_.get(), EPOLLIN, [raw = loop.get()](uint32_t) { raw->take_posts(); }));
  return loop;
}

Result<void> Loop::watch(int fd, uint32_t events, Handler handler) {
  epoll_event event{.events = events, .data = {.fd = fd}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return fail(errno);
  handlers_[fd] = std::make_shared<Handler>(std::move(handler));
  return {};
}

void Loop::change(int fd, uint32_t events) {
  epoll_event event{.events = events, .data = {.fd = fd}};
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void Loop::forget(int fd) {
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  handlers_.erase(fd);
}

void Loop::post(std::function<void()> work) {
  {
    const std::scoped_lock lock(posts_lock_);
    posts_.push_back(std::move(work));
  }
  eventfd_write(posted_event_.get(), 1);
}

void Loop::take_posts() {
  eventfd_t count = 0;
  eventfd_read(posted_event_.get(), &count);
  std::vector<std::function<void()>> work;
  {
    const std::scoped_lock lock(posts_lock_);
    work.swap(posts_);
  }
  for (const auto& one : work) one();
}

void Loop::tick() {
  const int64_t now = now_ms();
  if (now < next_tick_ms_) return;
  next_tick_ms_ = now + tick_ms;
  for (const auto& ticker : tickers_) ticker();
}

void Loop::run(const std::function<bool()>& done) {
  std::array<epoll_event, 64> events;
  while (true) {
    jobs().run();
    if (done()) return;
    const int count =
        epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), static_cast<int>(tick_ms));
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<size_t>(i)];
      const auto found = handlers_.find(event.data.fd);
      if (found == handlers_.end()) continue;
      const std::shared_ptr<Handler> handler = found->second;  // it may forget itself
      (*handler)(event.events);
    }
    tick();
  }
}

}  // namespace osp::keeper
