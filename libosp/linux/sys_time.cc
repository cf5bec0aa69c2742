// Clocks and sleeping: clock_gettime(2), nanosleep(2), timer_create(2).
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

#include "libosp/host/kernel_vdso.h"
#include "libosp/host/side.h"
#include "libosp/linux/calls.h"
#include "libosp/linux/clock.h"
#include "libosp/task/blocking.h"

namespace osp::linux {
namespace {

constexpr int64_t second_ns = 1'000'000'000;

bool valid(const timespec& t) { return t.tv_sec >= 0 && t.tv_nsec >= 0 && t.tv_nsec < second_ns; }

// Sleeps until the deadline, which is kept over restarts; how much is left is put at `rest` when a handler runs.
long sleep_until(Call& c, uint64_t deadline, uint64_t rest) {
  c.thread.restart_deadline = deadline;
  for (;;) {
    const uint64_t now = task::host_now_ns();
    if (now >= deadline) return 0;
    task::Wake why = task::Wake::timeout;
    if (c.process.owns_worker()) {
      const timespec until = to_timespec(static_cast<int64_t>(deadline));
      const long result =
          task::interruptible_call(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, raw::arg(&until), 0, 0, 0);
      if (trap::was_interrupted(result)) why = task::Wake::signal;
    } else {
      why = c.process.scheduler.park(c.thread, deadline, true);
    }
    if (why != task::Wake::signal) continue;
    if (!c.process.signal_waits(c.thread) && !c.thread.exiting) continue;
    const uint64_t left = deadline - std::min(deadline, task::host_now_ns());
    if (rest != 0 && !put(rest, to_timespec(static_cast<int64_t>(left)))) return -EFAULT;
    return task::restart_block;
  }
}

}  // namespace

namespace {

// The thread whose processor time the clock is (clock_getcpuclockid(3)), where the core keeps it; else null.
const task::Thread* thread_of_clock(const Call& c, int clock) {
  constexpr int kind_mask = 7, of_thread = 6, kind_bits = 3;
  if (host::is_native() || !c.process.had_threads) return nullptr;
  if (clock == CLOCK_THREAD_CPUTIME_ID) return &c.thread;
  if (clock >= 0 || (clock & kind_mask) != of_thread) return nullptr;
  const int tid = ~(clock >> kind_bits);
  return tid == 0 ? &c.thread : c.process.find_thread(tid);
}

}  // namespace

timespec to_timespec(int64_t ns) { return {ns / second_ns, ns % second_ns}; }
int64_t to_ns(const timespec& t) { return t.tv_sec * second_ns + t.tv_nsec; }

uint64_t host_deadline(const Call& c, int clock, const timespec& when, bool absolute) {
  const auto saturated = [](int64_t s) { return s > 9'000'000'000 ? int64_t{9'000'000'000} : s; };
  timespec limited = when;
  limited.tv_sec = saturated(limited.tv_sec);
  const auto now = static_cast<int64_t>(task::host_now_ns());
  if (!absolute) return static_cast<uint64_t>(now + to_ns(limited));
  if (clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME)
    return static_cast<uint64_t>(std::max<int64_t>(1, to_ns(limited) - c.process.clock_offset_ns));
  timespec real = {};
  raw::syscall(SYS_clock_gettime, clock, &real);
  return static_cast<uint64_t>(std::max<int64_t>(1, now + to_ns(limited) - to_ns(real)));
}

long sys_clock_gettime(Call& c) {
  timespec now = {};
  if (const task::Thread* thread = thread_of_clock(c, static_cast<int>(c.a)); thread != nullptr) {
    now = to_timespec(static_cast<int64_t>(task::Scheduler::time_of(*thread)));
    return put(c.b, now) ? 0 : -EFAULT;
  }
  const long result = host::read_clock_by_call(static_cast<clockid_t>(c.a), now);
  if (result < 0) return result;
  if (c.a == CLOCK_MONOTONIC || c.a == CLOCK_MONOTONIC_RAW || c.a == CLOCK_MONOTONIC_COARSE || c.a == CLOCK_BOOTTIME)
    now = to_timespec(to_ns(now) + c.process.clock_offset_ns);
  return put(c.b, now) ? 0 : -EFAULT;
}

long sys_getrusage(Call& c) {
  const long result = forward(c);
  if (result != 0 || static_cast<int>(c.a) != RUSAGE_THREAD || host::is_native() || !c.process.had_threads)
    return result;
  rusage used = {};
  if (!get(c.b, used)) return -EFAULT;
  const auto us = static_cast<int64_t>(task::Scheduler::time_of(c.thread)) / 1000;
  used.ru_utime = {us / 1'000'000, us % 1'000'000}, used.ru_stime = {};
  return put(c.b, used) ? 0 : -EFAULT;
}

long sys_nanosleep(Call& c) {
  timespec wanted = {};
  if (!get(c.a, wanted)) return -EFAULT;
  if (!valid(wanted)) return -EINVAL;
  const uint64_t deadline = c.thread.restarting && c.thread.restart_deadline != 0
                                ? c.thread.restart_deadline
                                : host_deadline(c, CLOCK_MONOTONIC, wanted, false);
  return sleep_until(c, deadline, c.b);
}

long sys_clock_nanosleep(Call& c) {
  timespec wanted = {};
  const int clock = static_cast<int>(c.a);
  const bool absolute = (c.b & TIMER_ABSTIME) != 0;
  if (!get(c.c, wanted)) return -EFAULT;
  if (!valid(wanted)) return -EINVAL;
  if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME && clock != CLOCK_TAI)
    return forward_blocking(c);
  const uint64_t deadline = c.thread.restarting && c.thread.restart_deadline != 0
                                ? c.thread.restart_deadline
                                : host_deadline(c, clock, wanted, absolute);
  const long result = sleep_until(c, deadline, absolute ? 0 : c.d);
  return absolute && result == task::restart_block ? static_cast<long>(task::restart_nohand) : result;
}

}  // namespace osp::linux
