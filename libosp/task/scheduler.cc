#include "libosp/task/scheduler.h"

#include <time.h>

#include <algorithm>
#include <boost/fiber/algo/algorithm.hpp>
#include <boost/fiber/fiber.hpp>
#include <boost/fiber/operations.hpp>
#include <boost/fiber/properties.hpp>
#include <boost/fiber/scheduler.hpp>

#include "base/raw_syscall.h"
#include "libosp/host/host.h"
#include "libosp/host/kernel_vdso.h"
#include "libosp/host/side.h"
#include "libosp/host/window.h"
#include "libosp/signal/deliver.h"
#include "libosp/task/core_lock.h"
#include "libosp/task/process.h"
#include "libosp/task/vector_state.h"
#include "libosp/trap/raw_handler.h"

namespace osp::task {
namespace {

constexpr uint64_t short_wait_ns = 300'000;
constexpr size_t stack_size = 128 * 1024;
constexpr int switches_between_cleanups = 16;

// Ties a fiber's context to its thread; null for the main and the dispatcher context.
struct ThreadProperties : boost::fibers::fiber_properties {
  explicit ThreadProperties(boost::fibers::context* context) : fiber_properties(context) {}
  Thread* thread = nullptr;
};

// Fiber stacks in the core's window, with a guard page below. Some that threads have left are kept for the next ones.
struct WindowStacks {
  using traits_type = boost::context::stack_traits;
  static constexpr size_t most_kept = 32;
  static std::vector<boost::context::stack_context>& kept() {
    static std::vector<boost::context::stack_context> the_kept;
    return the_kept;
  }

  boost::context::stack_context allocate() {
    if (!kept().empty()) {
      const boost::context::stack_context context = kept().back();
      kept().pop_back();
      return context;
    }
    const long start = window::map(stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start < 0) std::abort();
    raw::syscall(SYS_mprotect, start, 4096, PROT_NONE);
    boost::context::stack_context context;
    context.size = stack_size;
    context.sp = reinterpret_cast<void*>(static_cast<uintptr_t>(start) + stack_size);
    return context;
  }
  void deallocate(boost::context::stack_context& context) noexcept {
    if (kept().size() < most_kept) return kept().push_back(context);
    window::unmap(reinterpret_cast<uintptr_t>(context.sp) - context.size, context.size);
  }
};

// The caller's frame, from which a stack can be unwound while its fiber rests.
[[gnu::always_inline]] inline void note_place(Thread::Place& place) {
  asm volatile("lea 0(%%rip), %0; mov %%rsp, %1; mov %%rbp, %2" : "=&r"(place.ip), "=&r"(place.sp), "=&r"(place.bp));
}

}  // namespace

// Boost.Fiber's hook, one for each worker. The dispatcher runs when nothing else can, and now and then to free what
// ended.
class Scheduler::Algorithm final : public boost::fibers::algo::algorithm_with_properties<ThreadProperties> {
 public:
  explicit Algorithm(Scheduler& owner) : owner_(owner) {}

  // The fiber has been left: from here on any worker may have it.
  void awakened(boost::fibers::context* context, ThreadProperties& properties) noexcept override {
    if (context->is_context(boost::fibers::type::dispatcher_context)) {
      dispatcher_ = context;
      return;
    }
    context->detach();
    Thread* const thread = properties.thread;
    if (thread != nullptr) settle_time(*thread), thread->on = nullptr;
    if (thread != nullptr && thread->state == RunState::parking) {
      thread->state = RunState::parked;
    } else {
      if (thread != nullptr) thread->state = RunState::ready;
      owner_.enqueue(context);
    }
  }

  boost::fibers::context* pick_next() noexcept override {
    const bool clean_up = ++switches_ % switches_between_cleanups == 0 && dispatcher_ != nullptr;
    if (!owner_.has_ready() || clean_up) return std::exchange(dispatcher_, nullptr);
    boost::fibers::context* next = owner_.dequeue();
    boost::fibers::context::active()->attach(next);
    if (Thread* thread = properties(next).thread; thread != nullptr) {
      thread->state = RunState::running;
      owner_.enter(*thread);
    }
    return next;
  }

  [[nodiscard]] bool has_ready_fibers() const noexcept override { return owner_.has_ready(); }
  void suspend_until(const std::chrono::steady_clock::time_point&) noexcept override { owner_.idle(); }
  void notify() noexcept override {}

  // Of the worker that calls; made when it is not there yet.
  static Algorithm& of_worker(Scheduler& owner) {
    static thread_local Algorithm* own = nullptr;
    if (own == nullptr) {
      own = new Algorithm(owner);  // owned by Boost's scheduler of this host thread
      boost::fibers::context::active()->get_scheduler()->set_algo(own);
    }
    return *own;
  }

 private:
  Scheduler& owner_;
  boost::fibers::context* dispatcher_ = nullptr;
  int switches_ = 0;
};

namespace {

Thread* thread_of(boost::fibers::context& context) {
  auto* const properties = static_cast<ThreadProperties*>(context.get_properties());
  return properties == nullptr ? nullptr : properties->thread;
}

const Schedule* schedule_of(const Thread* thread) { return thread == nullptr ? nullptr : thread->schedule.get(); }

bool is_better(const Thread* one, const Thread* other) {
  const unsigned rank = rank_of(schedule_of(one)), others = rank_of(schedule_of(other));
  if (rank != others || one == nullptr || other == nullptr) return rank > others;
  return one->due_ns < other->due_ns;
}

}  // namespace

struct Scheduler::RunQueue {
  boost::fibers::scheduler::ready_queue_type fibers;
};

Scheduler::Scheduler() : ready_(std::make_unique<RunQueue>()) {}
Scheduler::~Scheduler() = default;

Scheduler& scheduler() {
  [[gnu::section(".hot_data")]] static Scheduler the_scheduler;
  return the_scheduler;
}

uint64_t host_now_ns() {
  timespec now = {};
  const auto clock = trap::worker().fast.host_clock;
  if (clock == nullptr || clock(CLOCK_MONOTONIC, &now) != 0) host::read_clock_by_call(CLOCK_MONOTONIC, now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

void Scheduler::enqueue(boost::fibers::context* context) {
  Thread* const thread = has_ranks_ ? thread_of(*context) : nullptr;
  if (thread != nullptr && std::exchange(thread->is_put_off, false)) {
    ready_->fibers.push_front(*context);
  } else {
    context->ready_link(ready_->fibers);
  }
  ++ready_count_;
}

boost::fibers::context& Scheduler::best_ready() const {
  boost::fibers::context* best = &ready_->fibers.front();
  if (!has_ranks_) return *best;
  for (boost::fibers::context& each : ready_->fibers)
    if (is_better(thread_of(each), thread_of(*best))) best = &each;
  return *best;
}

Worker* Scheduler::home_of_next() const {
  const Thread* const next = has_ready() ? thread_of(best_ready()) : nullptr;
  return next == nullptr ? nullptr : next->last_on;
}

boost::fibers::context* Scheduler::dequeue() {
  boost::fibers::context* const best = &best_ready();
  best->ready_unlink();
  --ready_count_;
  return best;
}

void Scheduler::start(Thread& thread, std::function<void()> body) {
  Algorithm::of_worker(*this);
  boost::fibers::fiber fiber(boost::fibers::launch::post, std::allocator_arg, WindowStacks(),
                             [this, &thread, run = std::move(body)] {
                               thread.context = boost::fibers::context::active();
                               thread.state = RunState::running;
                               enter(thread);
                               bind(thread);
                               run();
                             });
  fiber.detach();
}

void Scheduler::bind(Thread& thread) {
  static_cast<ThreadProperties*>(thread.context->get_properties())->thread = &thread;
}
void Scheduler::unbind(Thread& thread) {
  static_cast<ThreadProperties*>(thread.context->get_properties())->thread = nullptr;
}

void Scheduler::run() {
  Algorithm::of_worker(*this);
  boost::fibers::context::active()->suspend();
  std::abort();  // nobody wakes the main context
}

void Scheduler::serve_as_worker() {
  Scheduler& self = scheduler();
  --self.roused_;
  self.run();
}

// Natively each process has a space of its own, of which one is the worker's.
void Scheduler::enter(Thread& thread) {
  Worker& self = this_worker();
  self.current = &thread;
  thread.on = thread.last_on = &self;
  const uint64_t left_ns = std::exchange(self.left_ns, 0);
  thread.since_ns = left_ns != 0 ? left_ns : host_now_ns();
  if (thread.meets_files) signal::show_mask_to_terminals(thread);
  if (thread.processors != self.processors) workers().move_to_processors_of(thread);
  if (thread.schedule != self.schedule) workers().take_schedule_of(thread);
  if (&thread.process == &process()) return;
  charge();
  set_process(&thread.process);
  if (thread.process.space != nullptr) thread.process.space->enter();
}

void Scheduler::yield(Thread& thread) {
  if (!has_ready()) return;
  suspend_vector_state(thread);
  note_place(thread.switched_at);
  thread.context->yield();
}

// Several that wait so must not hand the worker to each other: those they wait for may need the core.
void Scheduler::yield_and_look(Thread& thread) {
  expire_timers();
  look_for_events();
  park_now(thread, host_now_ns() + short_wait_ns, false);
}

Wake Scheduler::park(Thread& thread, uint64_t deadline_ns, bool interruptible) {
  if (interruptible && thread.process.signal_waits(thread)) return Wake::signal;
  return park_now(thread, deadline_ns, interruptible);
}

Wake Scheduler::park_now(Thread& thread, uint64_t deadline_ns, bool interruptible) {
  thread.wake = Wake::none;
  thread.interruptible = interruptible;
  thread.state = RunState::parking;
  if (has_ready()) thread.goes_on = false;
  auto timer = deadlines_.end();
  if (deadline_ns != 0) timer = deadlines_.emplace(deadline_ns, &thread);
  suspend_vector_state(thread);
  note_place(thread.switched_at);
  thread.context->yield();
  if (timer != deadlines_.end()) deadlines_.erase(timer);
  thread.interruptible = false;
  return thread.wake;
}

void Scheduler::wake(Thread& thread, Wake why) {
  if (thread.state != RunState::parked) return;
  thread.wake = why;
  thread.state = RunState::ready;
  if (has_ranks_ && thread.schedule != nullptr)
    thread.due_ns = thread.schedule->deadline + (thread.schedule->deadline != 0 ? host_now_ns() : 0);
  enqueue(thread.context);
  if (has_ranks_) preempt_for(thread);
}

// Whoever runs with the lowest rank below the thread's own comes to the edge, and gives way there.
void Scheduler::preempt_for(const Thread& thread) {
  if (can_rouse() && rouse_one()) return;
  Worker* lowest = nullptr;
  for (Worker* worker : workers().all()) {
    const bool computes = !worker->is_resting && worker->away.load() != Worker::Away::in_host;
    if (!computes || worker->current == nullptr || !is_better(&thread, worker->current)) continue;
    if (lowest == nullptr || is_better(lowest->current, worker->current)) lowest = worker;
  }
  if (lowest == nullptr) return;
  lowest->raw.tick = 1;
  lowest->raw.pending = 1;
  if (lowest != &this_worker() && lowest->away.load() != Worker::Away::no) Workers::kick(*lowest);
}

void Scheduler::schedule_changed(Thread& thread) {
  if (thread.schedule != nullptr && rank_of(thread.schedule.get()) != ordinary_rank) has_ranks_ = true;
  if (has_ranks_ && thread.on != nullptr) thread.on->raw.tick = 1;  // others may come before it now
  interrupt(thread);
}

// When its slice is over.
bool Scheduler::gives_way(const Thread& thread) const {
  if (!has_ranks_ || !has_ready()) return true;
  const Thread* const best = thread_of(best_ready());
  if (is_better(best, &thread)) return true;
  return takes_turns(thread.schedule.get()) && !is_better(&thread, best);
}

void Scheduler::interrupt(Thread& thread) {
  if (thread.state == RunState::parked && thread.interruptible) return wake(thread, Wake::signal);
  if (thread.on == nullptr || thread.on == &this_worker()) return;
  if (thread.on->away.load() != Worker::Away::no) Workers::kick(*thread.on);
}

// What the poller cannot wait for is looked at again soon.
Wake Scheduler::wait(Thread& thread, std::span<const pollfd> fds, uint64_t deadline_ns, bool interruptible) {
  const Poller::Waiter waiter(poller_, thread, fds);
  if (!waiter.is_ready()) return park(thread, deadline_ns, interruptible);
  const uint64_t soon = host_now_ns() + short_wait_ns;
  const bool last = deadline_ns != 0 && deadline_ns <= soon;
  const Wake why = park(thread, last ? deadline_ns : soon, interruptible);
  return why == Wake::timeout && !last ? Wake::woken : why;
}

uint64_t Scheduler::next_deadline() const {
  const uint64_t alarm = alarms_.next();
  if (deadlines_.empty()) return alarm;
  return alarm == 0 ? deadlines_.begin()->first : std::min(alarm, deadlines_.begin()->first);
}

void Scheduler::expire_timers() {
  if (next_deadline() == 0) return;
  const uint64_t now = host_now_ns();
  alarms_.expire(now);
  for (const auto& [deadline, thread] : deadlines_) {
    if (deadline > now) break;
    wake(*thread, Wake::timeout);
  }
}

// Without waiting for any. Who rests and looks already is not raced: the bell is for it.
void Scheduler::look_for_events() {
  if (devices_ != nullptr) return devices_->look(0);
  if (!poller_.has_waiters() || poller_worker_ != nullptr) return;
  Poller::Events events;
  poller_.look(0, nullptr, events);
  poller_.settle(events);
}

// Called by a dispatcher with an empty run queue: blocks until something can run.
void Scheduler::idle() {
  expire_timers();
  Worker& self = this_worker();
  self.current = nullptr;
  self.left_ns = 0;
  if (has_ready()) return;
  if (devices_ != nullptr) {
    const int64_t timeout = timeout_of_rest();
    charge();
    devices_->look(timeout);
    charged_ns_ = host_now_ns();
  } else {
    rest(self);
  }
  process().collect_signals();
  expire_timers();
}

void Scheduler::forget_others(Thread& only) {
  deadlines_.clear();
  ready_->fibers.clear();
  ready_count_ = 0;
  poller_.after_fork();
  poller_worker_ = guard_ = nullptr;
  resting_ = roused_ = 0;
  forget_bells();
  Worker& self = this_worker();
  self.tick_timer = -1;
  self.is_resting = self.is_roused = false;
  self.tick_after_ns = self.asked_ns = self.told_ns = self.left_ns = 0;
  only.on = &self;
}

}  // namespace osp::task
