// Timers that become signals, natively: alarm(2), setitimer(2), timer_create(2).
#include <sys/time.h>
#include <time.h>

#include <algorithm>

#include "libosp/linux/clock.h"
#include "libosp/native/calls.h"
#include "libosp/task/timers.h"

namespace osp::native {
namespace {

using linux::get;
using linux::put;
using task::Timers;

constexpr int64_t second_ns = 1'000'000'000;

Timers& timers_of(const Call& c) {
  if (c.process.timers == nullptr) c.process.timers = std::make_unique<Timers>(c.process, c.process.scheduler.alarms());
  return *c.process.timers;
}

// Never 0 while it is set.
int64_t left(const Timers::Setting& setting, uint64_t now) {
  if (setting.deadline_ns == 0) return 0;
  return std::max<int64_t>(1, static_cast<int64_t>(setting.deadline_ns) - static_cast<int64_t>(now));
}

timeval to_timeval(int64_t ns) {
  const int64_t microseconds = (ns + 999) / 1000;
  return {microseconds / 1'000'000, microseconds % 1'000'000};
}

itimerval describe(const Timers& timers, int which) {
  const Timers::Setting setting = timers.interval(which);
  const uint64_t now = timers.now(Timers::time_of_interval(which));
  return {to_timeval(static_cast<int64_t>(setting.interval_ns)), to_timeval(left(setting, now))};
}

bool to_ns(const timeval& t, int64_t& ns) {
  constexpr int64_t forever = 1'000'000'000;
  ns = std::min(t.tv_sec, forever) * second_ns + t.tv_usec * 1000;
  return t.tv_sec >= 0 && t.tv_usec >= 0 && t.tv_usec < 1'000'000;
}

bool is_valid(const timespec& t) { return t.tv_sec >= 0 && t.tv_nsec >= 0 && t.tv_nsec < second_ns; }

itimerspec describe_posix(const Timers& timers, int id) {
  const Timers::Setting setting = timers.setting(id);
  const uint64_t now = timers.now(timers.find(id)->time());
  return {linux::to_timespec(static_cast<int64_t>(setting.interval_ns)), linux::to_timespec(left(setting, now))};
}

// When `wanted` is over, in the timer's time.
uint64_t deadline_of(Call& c, const Timers& timers, const Timers::Posix& timer, const timespec& wanted, bool absolute) {
  if (wanted.tv_sec == 0 && wanted.tv_nsec == 0) return 0;
  if (timer.time() == Timers::Time::real) return linux::host_deadline(c, timer.clock, wanted, absolute);
  return static_cast<uint64_t>(linux::to_ns(wanted)) + (absolute ? 0 : timers.now(Timers::Time::processor));
}

}  // namespace

long sys_alarm(Call& c) {
  Timers& timers = timers_of(c);
  const uint64_t now = timers.now(Timers::Time::real);
  const int64_t before = left(timers.interval(ITIMER_REAL), now);
  const auto seconds = static_cast<uint32_t>(c.a);
  timers.set_interval(ITIMER_REAL, {seconds == 0 ? 0 : now + uint64_t{seconds} * second_ns, 0});
  return before == 0 ? 0 : std::max<int64_t>(1, (before + second_ns / 2) / second_ns);
}

long sys_getitimer(Call& c) {
  if (c.a > ITIMER_PROF) return -EINVAL;
  return put(c.b, describe(timers_of(c), static_cast<int>(c.a))) ? 0 : -EFAULT;
}

long sys_setitimer(Call& c) {
  itimerval wanted = {};
  int64_t value = 0, interval = 0;
  if (c.a > ITIMER_PROF) return -EINVAL;
  if (c.b != 0 && !get(c.b, wanted)) return -EFAULT;
  if (!to_ns(wanted.it_value, value) || !to_ns(wanted.it_interval, interval)) return -EINVAL;
  const auto which = static_cast<int>(c.a);
  Timers& timers = timers_of(c);
  const itimerval before = describe(timers, which);
  const uint64_t now = timers.now(Timers::time_of_interval(which));
  timers.set_interval(which, {value == 0 ? 0 : now + static_cast<uint64_t>(value), static_cast<uint64_t>(interval)});
  return c.c == 0 || put(c.c, before) ? 0 : -EFAULT;
}

long sys_timer_create(Call& c) {
  Timers::Posix timer;
  timer.clock = static_cast<int>(c.a);
  if (timer.clock == CLOCK_THREAD_CPUTIME_ID) return -ENOTSUP;
  if (timer.clock != CLOCK_REALTIME && timer.clock != CLOCK_MONOTONIC && timer.clock != CLOCK_BOOTTIME &&
      timer.clock != CLOCK_PROCESS_CPUTIME_ID)
    return -EINVAL;
  if (c.b == 0) {
    timer.event.sigev_signo = SIGALRM;
  } else if (!get(c.b, timer.event)) {
    return -EFAULT;
  }
  const int how = timer.event.sigev_notify, signo = timer.event.sigev_signo;
  if (how != SIGEV_NONE && how != SIGEV_SIGNAL && how != SIGEV_THREAD_ID) return -EINVAL;
  if (how != SIGEV_NONE && (signo < 1 || signo > signal::last_signal)) return -EINVAL;
  if (how == SIGEV_THREAD_ID && c.process.find_thread(timer.event._sigev_un._tid) == nullptr) return -EINVAL;
  Timers& timers = timers_of(c);
  const int id = timers.create(timer, c.b == 0);
  if (id < 0) return id;
  if (put(c.c, id)) return 0;
  timers.remove(id);
  return -EFAULT;
}

long sys_timer_settime(Call& c) {
  itimerspec wanted = {};
  Timers& timers = timers_of(c);
  const auto id = static_cast<int>(c.a);
  const Timers::Posix* timer = timers.find(id);
  if (timer == nullptr || (c.b & ~uint64_t{TIMER_ABSTIME}) != 0) return -EINVAL;
  if (!get(c.c, wanted)) return -EFAULT;
  if (!is_valid(wanted.it_value) || !is_valid(wanted.it_interval)) return -EINVAL;
  const itimerspec before = describe_posix(timers, id);
  Timers::Setting setting;
  setting.deadline_ns = deadline_of(c, timers, *timer, wanted.it_value, (c.b & TIMER_ABSTIME) != 0);
  setting.interval_ns = static_cast<uint64_t>(linux::to_ns(wanted.it_interval));
  timers.set(id, setting);
  return c.d == 0 || put(c.d, before) ? 0 : -EFAULT;
}

long sys_timer_gettime(Call& c) {
  const Timers& timers = timers_of(c);
  const auto id = static_cast<int>(c.a);
  if (timers.find(id) == nullptr) return -EINVAL;
  return put(c.b, describe_posix(timers, id)) ? 0 : -EFAULT;
}

long sys_timer_getoverrun(Call& c) {
  const Timers& timers = timers_of(c);
  const auto id = static_cast<int>(c.a);
  return timers.find(id) == nullptr ? -EINVAL : timers.overruns(id);
}

long sys_timer_delete(Call& c) { return timers_of(c).remove(static_cast<int>(c.a)) ? 0 : -EINVAL; }

}  // namespace osp::native
