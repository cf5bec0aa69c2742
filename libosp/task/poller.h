#pragma once

#include <poll.h>
#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "libosp/signal/state.h"
#include "libosp/task/thread.h"

namespace osp::task {

// Which threads wait for which fds of the host: one epoll(7) instance with one-shot entries, so that waits can be added
// while a worker looks. Everything but look() is the core lock holder's.
class Poller {
 public:
  // One that waits, on its fiber's stack. `fds` as for poll(2); revents are not set.
  class Waiter {
   public:
    Waiter(Poller& poller, Thread& thread, std::span<const pollfd> fds);
    ~Waiter();
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    // An fd of it needs no waiting, or cannot be waited for (a file, one that is closed).
    [[nodiscard]] bool is_ready() const { return is_ready_; }

   private:
    friend class Poller;
    Poller& poller_;
    Thread& thread_;
    std::span<const pollfd> fds_;
    bool is_ready_ = false;
  };

  static constexpr size_t most_events = 64;
  struct Events {
    std::array<epoll_event, most_events> items;
    long count = 0;
  };

  // Waits for events, at the longest `timeout_ns` (-1: without end), with `mask` as the host's signal mask meanwhile
  // (null: as it is). Ends early for a signal or ring(). Without the core lock.
  void look(int64_t timeout_ns, const signal::Mask* mask, Events& found);
  // Wakes the threads that the events concern. Whether ring() was one of them.
  bool settle(const Events& events);
  // Makes a look() that goes on, or the next one, return, until silence_bell().
  void ring();
  // By the one whose look() it was.
  void silence_bell();

  // Creates what it needs of the host, if it has not; false: the host has no fd left.
  bool open();
  [[nodiscard]] bool has_waiters() const { return waiting_ != 0; }
  // In a forked child, where nobody waits: what it has of the host is the parent's.
  void after_fork();

 private:
  using List = std::vector<Waiter*>;
  // Enters what the waiters of `fd` want; whether the host watches it.
  bool arm(int fd);
  void wake_for(int fd, uint32_t events);
  List& list_of(int fd);

  int epoll_ = -1, bell_ = -1;
  std::vector<List> by_fd_;
  size_t waiting_ = 0;
};

}  // namespace osp::task
