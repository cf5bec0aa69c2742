#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "libosp/task/thread.h"

namespace osp::task {

class WaitQueue;

// Hears of changes in a queue, for as long as it lives; epoll(7) is one, a parked thread another.
class Listener {
 public:
  explicit Listener(WaitQueue& queue);
  virtual ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  // Something changed: look again. Must not park, nor add or remove listeners of the same queue.
  virtual void changed() = 0;

 private:
  friend class WaitQueue;
  WaitQueue* queue_;
};

// What an object of the core keeps for those who wait for it to change. Listeners may outlive the queue; then they hear
// no more. Core only: not signal-safe, one worker.
class WaitQueue {
 public:
  WaitQueue() = default;
  ~WaitQueue();
  WaitQueue(const WaitQueue&) = delete;
  WaitQueue& operator=(const WaitQueue&) = delete;
  // Tells all listeners.
  void notify();
  [[nodiscard]] bool empty() const { return listeners_.empty(); }

 private:
  friend class Listener;
  std::vector<Listener*> listeners_;
};

// Parks `thread` (the caller) until one of `queues` (null entries are skipped) is notified, the deadline
// (CLOCK_MONOTONIC of the host, ns; 0: none) or a signal for it. Between the look at what is waited for and this call
// no fiber may run; afterwards look again.
Wake wait_on(Thread& thread, std::span<WaitQueue* const> queues, uint64_t deadline_ns, bool interruptible = true);
inline Wake wait_on(Thread& thread, WaitQueue& queue, uint64_t deadline_ns = 0) {
  WaitQueue* const one[] = {&queue};
  return wait_on(thread, one, deadline_ns);
}

}  // namespace osp::task
