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
#include "libosp/host/side.h"
#include "libosp/host/window.h"
#include "libosp/task/process.h"
#include "libosp/task/vector_state.h"
#include "libosp/trap/raw_handler.h"

namespace osp::task {
namespace {

constexpr uint64_t slice_ns = 1'000'000;
constexpr int64_t short_look_ns = 1'000'000;
constexpr size_t stack_size = 128 * 1024;
constexpr int switches_between_cleanups = 64;

// Ties a fiber's context to its thread; null for the main and the dispatcher context.
struct ThreadProperties : boost::fibers::fiber_properties {
  explicit ThreadProperties(boost::fibers::context* context) : fiber_properties(context) {}
  Thread* thread = nullptr;
};

// Fiber stacks in the core's window, with a guard page below.
struct WindowStacks {
  using traits_type = boost::context::stack_traits;

  boost::context::stack_context allocate() {
    const long start = window::map(stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start < 0) std::abort();
    raw::syscall(SYS_mprotect, start, 4096, PROT_NONE);
    boost::context::stack_context context;
    context.size = stack_size;
    context.sp = reinterpret_cast<void*>(static_cast<uintptr_t>(start) + stack_size);
    return context;
  }
  void deallocate(boost::context::stack_context& context) noexcept {
    window::unmap(reinterpret_cast<uintptr_t>(context.sp) - context.size, context.size);
  }
};

// The caller's frame, from which a stack can be unwound while its fiber rests.
[[gnu::always_inline]] inline void note_place(Thread::Place& place) {
  asm volatile("lea 0(%%rip), %0; mov %%rsp, %1; mov %%rbp, %2" : "=&r"(place.ip), "=&r"(place.sp), "=&r"(place.bp));
}

}  // namespace

// Boost.Fiber's hook. The dispatcher runs when nothing else can, and now and then to free what ended.
class Scheduler::Algorithm final : public boost::fibers::algo::algorithm_with_properties<ThreadProperties> {
 public:
  explicit Algorithm(Scheduler& owner) : owner_(owner) {}

  void awakened(boost::fibers::context* context, ThreadProperties& properties) noexcept override {
    if (context->is_context(boost::fibers::type::dispatcher_context)) {
      dispatcher_ = context;
    } else if (properties.thread != nullptr && properties.thread->state == RunState::parking) {
      properties.thread->state = RunState::parked;
    } else {
      if (properties.thread != nullptr) properties.thread->state = RunState::ready;
      context->ready_link(ready_);
    }
  }

  boost::fibers::context* pick_next() noexcept override {
    const bool clean_up = ++switches_ % switches_between_cleanups == 0 && dispatcher_ != nullptr;
    if (!ready_.empty() && !clean_up) {
      boost::fibers::context* next = &ready_.front();
      ready_.pop_front();
      if (Thread* thread = properties(next).thread; thread != nullptr) {
        thread->state = RunState::running;
        owner_.enter(*thread);
      }
      return next;
    }
    return std::exchange(dispatcher_, nullptr);
  }

  [[nodiscard]] bool has_ready_fibers() const noexcept override { return !ready_.empty(); }
  void suspend_until(const std::chrono::steady_clock::time_point&) noexcept override { owner_.idle(); }
  void notify() noexcept override {}

  void enqueue(boost::fibers::context* context) { context->ready_link(ready_); }
  void keep_only(const boost::fibers::context* kept) {
    ready_.remove_if([kept](const boost::fibers::context& context) { return &context != kept; });
  }

 private:
  Scheduler& owner_;
  boost::fibers::scheduler::ready_queue_type ready_;
  boost::fibers::context* dispatcher_ = nullptr;
  int switches_ = 0;
};

Scheduler& scheduler() {
  static Scheduler the_scheduler;
  return the_scheduler;
}

uint64_t host_now_ns() { return static_cast<uint64_t>(host::monotonic_ns()); }

void Scheduler::start(Thread& thread, std::function<void()> body) {
  if (algorithm_ == nullptr) {
    algorithm_ = new Algorithm(*this);  // owned by Boost's scheduler of this host thread
    boost::fibers::context::active()->get_scheduler()->set_algo(algorithm_);
  }
  boost::fibers::fiber fiber(boost::fibers::launch::post, std::allocator_arg, WindowStacks(),
                             [this, &thread, run = std::move(body)] {
                               thread.context = boost::fibers::context::active();
                               enter(thread);
                               thread.state = RunState::running;
                               bind(thread);
                               run();
                             });
  fiber.detach();
}

void Scheduler::bind(Thread& thread) { algorithm_->properties(thread.context).thread = &thread; }
void Scheduler::unbind(Thread& thread) { algorithm_->properties(thread.context).thread = nullptr; }

void Scheduler::run() {
  boost::fibers::context::active()->suspend();
  std::abort();  // nobody wakes the main context
}

void Scheduler::charge() {
  const uint64_t now = host_now_ns();
  if (charged_ns_ != 0) process().processor_ns += now - charged_ns_;
  charged_ns_ = now;
}

int64_t Scheduler::processor_time_ns(const Process& of) const {
  const uint64_t running = &of == &process() ? host_now_ns() - charged_ns_ : 0;
  return static_cast<int64_t>(of.processor_ns + running);
}

// Natively each process has a space of its own, of which one is the worker's.
void Scheduler::enter(Thread& thread) {
  current_ = &thread;
  if (&thread.process == &process()) return;
  charge();
  set_process(&thread.process);
  if (thread.process.space != nullptr) thread.process.space->enter();
}

bool Scheduler::has_ready() const { return algorithm_->has_ready_fibers(); }

void Scheduler::yield(Thread& thread) {
  if (!has_ready()) return;
  suspend_vector_state(thread);
  note_place(thread.switched_at);
  thread.context->yield();
}

void Scheduler::yield_and_look(Thread& thread) {
  expire_timers();
  poll_waiters(has_ready() ? 0 : short_look_ns);
  yield(thread);
}

Wake Scheduler::park(Thread& thread, uint64_t deadline_ns, bool interruptible) {
  if (interruptible && thread.process.signal_waits(thread)) return Wake::signal;
  return park_now(thread, deadline_ns, interruptible);
}

Wake Scheduler::park_now(Thread& thread, uint64_t deadline_ns, bool interruptible) {
  thread.wake = Wake::none;
  thread.interruptible = interruptible;
  thread.state = RunState::parking;
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
  algorithm_->enqueue(thread.context);
}

Wake Scheduler::wait(Thread& thread, std::span<pollfd> fds, uint64_t deadline_ns, bool interruptible) {
  waiters_.push_back({&thread, fds});
  const Wake why = park(thread, deadline_ns, interruptible);
  std::erase_if(waiters_, [&](const Waiter& waiter) { return waiter.thread == &thread; });
  return why;
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

void Scheduler::poll_waiters(int64_t timeout_ns) {
  if (devices_ != nullptr) return devices_->look(timeout_ns);
  std::vector<pollfd> all;
  for (const Waiter& waiter : waiters_) all.insert(all.end(), waiter.fds.begin(), waiter.fds.end());
  const timespec timeout = {timeout_ns / 1'000'000'000, timeout_ns % 1'000'000'000};
  const timespec* limit = timeout_ns < 0 ? nullptr : &timeout;
  // A short look must be had with something pending too: a stop waits for threads that wait for these.
  const long count =
      timeout_ns >= 0 && timeout_ns <= short_look_ns
          ? raw::syscall(SYS_ppoll, all.data(), all.size(), limit, 0, 8)
          : osp_blocking_syscall(SYS_ppoll, raw::arg(all.data()), raw::arg(all.size()), raw::arg(limit), 0, 8, 0);
  if (count <= 0) return;
  size_t at = 0;
  for (const Waiter& waiter : waiters_) {
    const auto first = all.begin() + static_cast<ptrdiff_t>(at);
    at += waiter.fds.size();
    const bool ready =
        std::any_of(first, all.begin() + static_cast<ptrdiff_t>(at), [](const pollfd& p) { return p.revents != 0; });
    if (ready) wake(*waiter.thread, Wake::woken);
  }
}

// Called by the dispatcher with an empty run queue: blocks until something can run.
void Scheduler::idle() {
  expire_timers();
  current_ = nullptr;
  if (has_ready()) return;
  int64_t timeout = -1;
  if (const uint64_t deadline = next_deadline(); deadline != 0) {
    const uint64_t now = host_now_ns();
    timeout = deadline > now ? static_cast<int64_t>(deadline - now) : 0;
  }
  if (devices_ != nullptr) charge();
  poll_waiters(timeout);
  if (devices_ != nullptr) charged_ns_ = host_now_ns();
  process().collect_signals();
  expire_timers();
}

void Scheduler::set_tick(uint64_t after_ns) {
  host::set_tick(after_ns, tick_timer_);
  tick_set_ = true;
}

bool Scheduler::take_tick() {
  trap::Worker& worker = trap::worker();
  if (worker.tick == 0) return false;
  worker.tick = 0;
  tick_set_ = false;
  return true;
}

void Scheduler::slice(Thread& thread) {
  if (take_tick()) {
    expire_timers();
    if (!waiters_.empty() || devices_ != nullptr) poll_waiters(0);
    yield(thread);
    take_tick();  // one that came meanwhile: whoever ran has collected its signals, and nothing else tells us of it
  }
  if (!tick_set_ && (has_ready() || !waiters_.empty() || next_deadline() != 0)) set_tick(slice_ns);
}

void Scheduler::forget_others(Thread& only) {
  deadlines_.clear();
  waiters_.clear();
  algorithm_->keep_only(only.context);
  tick_timer_ = -1;
  tick_set_ = false;
}

}  // namespace osp::task
