#include "kernel/task/timer.h"

#include "kernel/cpu/processor.h"
#include "kernel/task/schedule.h"
#include "kernel/task/thread.h"
#include "kernel/task/wait.h"

namespace osp::kernel {

void TimerQueue::set(Timer& timer, int64_t deadline_ns) {
  {
    Locked guard(lock_);
    timer.deadline_ns = deadline_ns;
    timer.queue.store(this, std::memory_order_relaxed);
    Timer* before = timers_.last();
    while (before != nullptr && before->deadline_ns > deadline_ns) before = timers_.before(*before);
    before == nullptr ? timers_.push_front(timer) : timers_.insert_after(*before, timer);
  }
  arm_timer(deadline_ns);
}

int64_t TimerQueue::run(int64_t now_ns) {
  Locked guard(lock_);
  Timer* timer = timers_.first();
  for (; timer != nullptr && timer->deadline_ns <= now_ns; timer = timers_.first()) {
    timers_.remove(*timer);
    timer->queue.store(nullptr, std::memory_order_relaxed);
    if (timer->kind == Timer::Kind::wait)
      wake(timer->thread, Wake::timeout);
    else
      post_event(timer->thread, pending_tick);
  }
  return timer == nullptr ? for_ever : timer->deadline_ns;
}

void cancel(Timer& timer) {
  while (TimerQueue* queue = timer.queue.load(std::memory_order_acquire)) {
    Locked guard(queue->lock_);
    if (timer.queue.load(std::memory_order_relaxed) != queue) continue;
    List<Timer, TimerQueue>::remove(timer);
    timer.queue.store(nullptr, std::memory_order_relaxed);
    return;
  }
}

void arm_timer(int64_t deadline_ns) {
  Processor& processor = here();
  if (deadline_ns >= processor.armed_ns) return;
  processor.armed_ns = deadline_ns;
  set_timer_interrupt(deadline_ns);
}

void handle_timer() {
  Processor& processor = here();
  const int64_t now_ns = monotonic_ns();
  processor.armed_ns = for_ever;
  const int64_t next_ns = processor.timers.run(now_ns);
  if (processor.has_slice.load(std::memory_order_relaxed) && processor.slice_end_ns > now_ns)
    arm_timer(processor.slice_end_ns);
  else
    processor.has_slice.store(false);  // before it looks into the queue: who fills it looks here afterwards
  end_turn();                          // also for whom a timer has woken
  if (next_ns != for_ever) arm_timer(next_ns);
}

}  // namespace osp::kernel
