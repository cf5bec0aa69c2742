#pragma once

#include <atomic>
#include <cstdint>

#include "kernel/cpu/clock.h"
#include "kernel/library/list.h"
#include "kernel/library/lock.h"

namespace osp::kernel {

struct Thread;
class TimerQueue;

// Ends a thread's wait, or is its tick, at a time.
struct Timer : Link<TimerQueue> {
  enum class Kind : uint8_t { wait, tick };

  Timer(Thread& owner, Kind what) : thread(owner), kind(what) {}

  Thread& thread;
  Kind kind;
  int64_t deadline_ns = 0;
  std::atomic<TimerQueue*> queue = nullptr;  // where it is set
};

// A processor's timers in the order of their deadlines.
class TimerQueue {
 public:
  // Of the current processor. The timer is not set.
  [[gnu::noinline]] void set(Timer& timer, int64_t deadline_ns);

  // Tells the threads whose time has come; the next deadline.
  int64_t run(int64_t now_ns);

 private:
  friend void cancel(Timer& timer);

  Spinlock lock_;
  List<Timer, TimerQueue> timers_;
};

// Takes the timer out, wherever it is set. Afterwards it does not go off any more.
[[gnu::noinline]] void cancel(Timer& timer);

// The timer interrupt of the current processor at `deadline_ns` at the latest.
void arm_timer(int64_t deadline_ns);

// What the timer interrupt does.
void handle_timer();

}  // namespace osp::kernel
