#pragma once

#include <poll.h>

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "libosp/task/alarm.h"
#include "libosp/task/thread.h"

namespace osp::task {

// Where events come from that are not the host's fds: natively, the driver tasks.
class Devices {
 public:
  virtual ~Devices() = default;
  // Takes what there is; with nothing there, waits for it, at the longest `timeout_ns` (-1: without end), or until the
  // worker's pending is set. Wakes the threads that it concerns.
  virtual void look(int64_t timeout_ns) = 0;
};

// Runs the program's threads as fibers on one host thread. Boost.Fiber gives contexts and the
// dispatcher; the run queue, parking, timeouts and the poller are here. Nothing here is signal-safe.
class Scheduler {
 public:
  // Makes the fiber that runs `thread` and puts it in the run queue.
  void start(Thread& thread, std::function<void()> body);

  // Gives the calling host thread to the fibers for ever.
  [[noreturn]] void run();

  // Lets others run, if there are any.
  void yield(Thread& thread);
  // The same for a thread that waits for others to come to the edge: timeouts and fds are looked at first.
  void yield_and_look(Thread& thread);

  // Stops `thread` (the caller) until wake(), the deadline (absolute CLOCK_MONOTONIC ns of the host; 0:
  // none) or, if interruptible, a signal for it. Wake::signal may come before anything is waited for.
  Wake park(Thread& thread, uint64_t deadline_ns, bool interruptible);
  // The same when signals have been looked at: between that look and this call no fiber may run.
  Wake park_now(Thread& thread, uint64_t deadline_ns, bool interruptible);
  void wake(Thread& thread, Wake why);

  // Parks until one of `fds` is ready, as poll(2) (revents are not set: ask again), with park()'s results.
  // With one thread it blocks in the host.
  Wake wait(Thread& thread, std::span<pollfd> fds, uint64_t deadline_ns, bool interruptible = true);

  // At the program's edge: rotates if the tick came, and sets the next one when more than one thread wants to run.
  void slice(Thread& thread);

  // The caller's fiber is about to end: the thread may be destroyed before it.
  void unbind(Thread& thread);

  // How long threads of the process have run; kept natively.
  [[nodiscard]] int64_t processor_time_ns(const Process& process) const;

  [[nodiscard]] bool has_ready() const;
  [[nodiscard]] Thread* current() const { return current_; }
  void set_current(Thread& thread) { current_ = &thread; }
  // Natively; they live as long as the scheduler.
  void set_devices(Devices* devices) { devices_ = devices; }

  [[nodiscard]] Alarms& alarms() { return alarms_; }

  // In the child of a fork: forgets every fiber but the caller's, and what it waited for.
  void forget_others(Thread& only);

 private:
  class Algorithm;
  struct Waiter {
    Thread* thread;
    std::span<pollfd> fds;
  };

  void bind(Thread& thread);
  void enter(Thread& thread);
  void charge();
  void idle();
  void poll_waiters(int64_t timeout_ns);
  void expire_timers();
  uint64_t next_deadline() const;
  void set_tick(uint64_t after_ns);
  bool take_tick();

  Algorithm* algorithm_ = nullptr;
  Thread* current_ = nullptr;
  Devices* devices_ = nullptr;
  std::multimap<uint64_t, Thread*> deadlines_;
  Alarms alarms_;
  std::vector<Waiter> waiters_;
  uint64_t charged_ns_ = 0;  // until then the process at hand has been charged
  int tick_timer_ = -1;
  bool tick_set_ = false;
};

// The worker's: there is one.
Scheduler& scheduler();

// CLOCK_MONOTONIC of the host, ns. Signal-safe.
uint64_t host_now_ns();

}  // namespace osp::task
