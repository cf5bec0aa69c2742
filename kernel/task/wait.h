#pragma once

#include <cstdint>

#include "kernel/cpu/clock.h"
#include "kernel/library/list.h"
#include "kernel/task/thread.h"

// How threads wait: with the object's lock held, a thread calls prepare_wait() and puts a Waiter into the object's
// list; it releases the lock and calls finish_wait(). Who wakes it takes the Waiter out, under the same lock. A thread
// is woken by the one who changes its state (wake), so by one only; it looks at the object again, whoever woke it.
namespace osp::kernel {

struct Waiter : Link<Waiter> {
  explicit Waiter(Thread& waiting, bool only_watching = false) : thread(waiting), watches(only_watching) {}
  Thread& thread;
  bool watches;  // it takes nothing: others are woken besides
};
using WaiterList = List<Waiter, Waiter>;

// Deadlines of the native calls, as the caller gave them.
inline constexpr uint64_t wait_for_ever = 0, wait_not_at_all = 1;
constexpr int64_t deadline_of(uint64_t given) {
  return given == wait_for_ever || given > static_cast<uint64_t>(for_ever) ? for_ever : static_cast<int64_t>(given);
}

// The current thread will wait: from now on wake() ends it. Nothing that waits may be called before finish_wait().
void prepare_wait();

// Waits until somebody wakes the thread, until `deadline_ns` (for_ever: none), an event or the thread's end.
[[nodiscard]] Wake finish_wait(int64_t deadline_ns);

// Ends the thread's wait; false: it did not wait, or another was faster.
bool wake(Thread& thread, Wake reason);

// Wakes waiters from the front, at most `count` besides those that only watch, and takes them out; how many without
// those. The list's lock is held.
[[gnu::noinline]] uint32_t wake_some(WaiterList& waiters, uint32_t count);

// What a waiting call answers for a wait that ended without what it waited for.
constexpr long error_of(Wake reason) {
  return reason == Wake::timeout ? -110 : -4;  // ETIMEDOUT, EINTR
}

// An event for the thread's upcall handler: it is told as soon as it takes upcalls.
[[gnu::noinline]] void post_event(Thread& thread, uint32_t event);

// The thread is to end: it does so before it runs in ring 3 again, or when it waits.
void post_end(Thread& thread);

}  // namespace osp::kernel
