// When the thread that runs comes to the core's edge though it makes no call, and what is seen to there (Scheduler).
#include <algorithm>

#include "libosp/host/side.h"
#include "libosp/task/process.h"
#include "libosp/task/scheduler.h"

namespace osp::task {
namespace {

// How long what is ready may wait for the workers that are awake before another is roused.
constexpr uint64_t patience_ns = 100'000;
constexpr uint64_t least_tick_ns = 1'000, long_tick_ns = 900'000'000;

}  // namespace

void Scheduler::start_tick(uint64_t after_ns) {
  Worker& self = this_worker();
  host::set_tick(after_ns, self.tick_timer, self.host_tid);
}

// One that is set for less stays: then it is seen what is wanted.
void Scheduler::set_tick(uint64_t after_ns) {
  Worker& self = this_worker();
  if (self.tick_after_ns != 0 && self.tick_after_ns <= after_ns) return;
  start_tick(after_ns);
  self.tick_after_ns = after_ns;
}

void Scheduler::set_tick_for(uint64_t deadline_ns) {
  Worker& self = this_worker();
  const bool is_for_deadline = self.tick_after_ns == long_tick_ns;
  if (self.tick_after_ns != 0 && (!is_for_deadline || self.tick_due_ns <= deadline_ns)) return;
  const uint64_t now = host_now_ns();
  start_tick(std::clamp(deadline_ns - std::min(now, deadline_ns), least_tick_ns, long_tick_ns));
  self.tick_after_ns = long_tick_ns;
  self.tick_due_ns = deadline_ns;
}

bool Scheduler::take_tick() {
  Worker& self = this_worker();
  if (self.raw.tick == 0) return false;
  self.raw.tick = 0;
  self.tick_after_ns = 0;
  return true;
}

void Scheduler::slice(Thread& thread) {
  if (take_tick()) {
    expire_timers();
    look_for_events();
    const bool comes = (has_ready() || needs_poller()) && rouse_one();
    thread.goes_on = comes && has_ready();
    if (!comes && gives_way(thread)) {
      thread.is_put_off = has_ranks_ && !takes_turns(thread.schedule.get());
      yield(thread);
      thread.is_put_off = false;
    }
    take_tick();  // one that came meanwhile: whoever ran has collected its signals, and nothing else tells us of it
  } else if (ready_count_ > 1 || (thread.goes_on && has_ready())) {
    rouse_one();
  }
  if (devices_ == nullptr) mind_poller();
  plan_tick(thread);
}

void Scheduler::plan_tick(const Thread& thread) {
  const uint64_t set_for = this_worker().tick_after_ns;
  if (has_ready()) {
    if (can_rouse()) {
      set_tick(patience_ns);
    } else if (set_for == 0 || set_for == long_tick_ns) {
      set_tick(slice_of(thread.schedule.get()));
    }
  } else if (needs_poller()) {
    set_tick(slice_of(nullptr));
  } else if (needs_watch()) {
    set_tick_for(next_deadline());
  }
}

}  // namespace osp::task
