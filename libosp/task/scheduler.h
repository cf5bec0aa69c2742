#pragma once

#include <poll.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>

#include "libosp/task/alarm.h"
#include "libosp/task/poller.h"
#include "libosp/task/thread.h"
#include "libosp/task/worker.h"

namespace osp::task {

// Where events come from that are not the host's fds: natively, the driver tasks.
class Devices {
 public:
  virtual ~Devices() = default;
  // Takes what there is; with nothing there, waits for it, at the longest `timeout_ns` (-1: without end), or until the
  // worker's pending is set. Wakes the threads that it concerns.
  virtual void look(int64_t timeout_ns) = 0;
};

// Runs the program's threads as fibers on the workers: one run queue, by rank (schedule.h), then in the order of
// coming. Boost.Fiber gives contexts and the dispatcher; the run queue, parking, timeouts and the poller are here. All
// of it is the core lock holder's (core_lock.h): while a fiber runs in the core, no other does. Nothing here is
// signal-safe.
//
// A woken fiber stays with the workers that are awake for a moment (patience_ns in tick.cc): threads that take
// turns do so on one processor. What waits longer, is not alone, or was woken by a thread that went on the last time,
// has a worker of its own roused.
class Scheduler {
 public:
  Scheduler();
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Makes the fiber that runs `thread` and puts it in the run queue.
  void start(Thread& thread, std::function<void()> body);

  // Gives the calling host thread, a worker, to the fibers for ever.
  [[noreturn]] void run();

  // Lets others run, if there are any.
  void yield(Thread& thread);
  // The same for a thread that waits for others to come to the edge: for a moment, without any.
  void yield_and_look(Thread& thread);

  // Stops `thread` (the caller) until wake(), the deadline (absolute CLOCK_MONOTONIC ns of the host; 0:
  // none) or, if interruptible, a signal for it. Wake::signal may come before anything is waited for.
  Wake park(Thread& thread, uint64_t deadline_ns, bool interruptible);
  // The same when signals have been looked at: between that look and this call no fiber may run.
  Wake park_now(Thread& thread, uint64_t deadline_ns, bool interruptible);
  void wake(Thread& thread, Wake why);
  // It shall come to the program's edge: where it is parked and interruptible it is woken (Wake::signal), where it runs
  // on another worker, or waits there in the host, that is kicked.
  void interrupt(Thread& thread);

  // Parks until one of `fds` is ready, as poll(2) (revents are not set: ask again), with park()'s results.
  Wake wait(Thread& thread, std::span<const pollfd> fds, uint64_t deadline_ns, bool interruptible = true);

  // At the program's edge: rotates if the tick came, and sets the next one when there is anything that it would see to.
  void slice(Thread& thread);
  // The thread's schedule has been set by a call.
  void schedule_changed(Thread& thread);
  // The caller is about to leave the core for long: what is ready shall not wait for it.
  void let_others_run();

  // Whether the caller's worker may wait in the host with its thread, by a call that a kick ends: no other fiber wants
  // it, somebody else looks for what the others wait for, and not too many do so.
  [[nodiscard]] bool can_spare_worker();

  // The caller's fiber is about to end: the thread may be destroyed before it.
  void unbind(Thread& thread);

  // How long threads of the process have run; kept natively.
  [[nodiscard]] int64_t processor_time_ns(const Process& process) const;

  // The processor time of the thread, in the program and in the core; natively how long it has had the worker. ns.
  [[nodiscard]] static uint64_t time_of(const Thread& thread);

  [[nodiscard]] bool has_ready() const { return ready_count_ != 0; }
  // Null: the worker runs none.
  [[nodiscard]] Thread* current() const { return this_worker().current; }
  void set_current(Thread& thread) { this_worker().current = &thread; }
  // Natively; they live as long as the scheduler.
  void set_devices(Devices* devices) { devices_ = devices; }

  [[nodiscard]] Alarms& alarms() { return alarms_; }

  // In the child of a fork: forgets every fiber but the caller's, and what it waited for.
  void forget_others(Thread& only);

 private:
  static constexpr size_t most_waiting_workers = 4;

  class Algorithm;
  struct RunQueue;

  static void serve_as_worker();
  void enqueue(boost::fibers::context* context);
  boost::fibers::context* dequeue();
  void bind(Thread& thread);
  void enter(Thread& thread);
  void charge();
  static uint64_t run_of(const Thread& thread, uint64_t now, uint64_t* worker_used);
  static void settle_time(Thread& thread);

  void idle();
  void rest(Worker& self);
  void poll(Worker& self, bool guards);
  int64_t timeout_of_rest();
  void sleep_until_roused(Worker& self);

  void look_for_events();
  void expire_timers();
  [[nodiscard]] uint64_t next_deadline() const;
  // Whether something waits for events that nobody looks for.
  [[nodiscard]] bool needs_poller() const;
  // The same, or for a deadline.
  [[nodiscard]] bool needs_watch() const;
  [[nodiscard]] bool can_rouse() const;
  bool rouse_one();
  void mind_poller();
  void forget_bells();

  [[nodiscard]] boost::fibers::context& best_ready() const;
  [[nodiscard]] Worker* home_of_next() const;
  [[nodiscard]] bool gives_way(const Thread& thread) const;
  void preempt_for(const Thread& thread);
  void plan_tick(const Thread& thread);
  void set_tick(uint64_t after_ns);
  void set_tick_for(uint64_t deadline_ns);
  void start_tick(uint64_t after_ns);
  bool take_tick();

  std::unique_ptr<RunQueue> ready_;  // of fibers, the first to run first
  size_t ready_count_ = 0;
  bool has_ranks_ = false;  // a thread has had another rank than the ordinary
  Devices* devices_ = nullptr;
  std::multimap<uint64_t, Thread*> deadlines_;
  Alarms alarms_;
  Poller poller_;
  Worker* poller_worker_ = nullptr;  // at rest, and looks for events
  Worker* guard_ = nullptr;          // the same, while all rest: takes the process's signals
  uint64_t poller_until_ = 0;        // when its look ends; 0: for an event only
  size_t resting_ = 0, roused_ = 0;  // workers; who has been roused still rests until it comes
  uint64_t charged_ns_ = 0;          // until then the process at hand has been charged
};

Scheduler& scheduler();

// CLOCK_MONOTONIC of the host, ns.
uint64_t host_now_ns();

}  // namespace osp::task
