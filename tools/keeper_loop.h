#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "pip/host_walk.h"

namespace osp::keeper {

// The keeper's event loop: one thread, epoll; between events it runs the jobs.
class Loop {
 public:
  using Handler = std::function<void(uint32_t events)>;

  // EMFILE, ENOMEM.
  static Result<std::unique_ptr<Loop>> create();

  // Calls `handler` when the fd (the caller's) has `events` (epoll(7)); it may forget itself or others.
  Result<void> watch(int fd, uint32_t events, Handler handler);
  void change(int fd, uint32_t events);
  void forget(int fd);
  // Calls `handler` a few times a second.
  void each_tick(std::function<void()> handler) { tickers_.push_back(std::move(handler)); }
  // From any thread: has the loop call `work`.
  void post(std::function<void()> work);
  // Serves until `done` returns true, which is asked after each round.
  void run(const std::function<bool()>& done);

 private:
  void tick();
  void take_posts();

  pip::HostFd epoll_;
  pip::HostFd posted_event_;
  std::map<int, std::shared_ptr<Handler>> handlers_;
  std::vector<std::function<void()>> tickers_;
  int64_t next_tick_ms_ = 0;
  std::mutex posts_lock_;
  std::vector<std::function<void()>> posts_;
};

// CLOCK_MONOTONIC, milliseconds.
int64_t now_ms();

}  // namespace osp::keeper
