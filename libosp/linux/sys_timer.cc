// POSIX timers: what the core adds to the host's. timer_settime(2) and timerfd_settime(2) with absolute times: after a
// restore the program's monotonic clock is not the host's.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/timerfd.h>
#include <time.h>

#include "libosp/file/files.h"
#include "libosp/linux/calls.h"
#include "libosp/linux/clock.h"
#include "libosp/task/host_timers.h"

namespace osp::linux {
namespace {

std::string text_of(const std::string& path) {
  const long fd = raw::syscall(SYS_open, path.c_str(), O_RDONLY | O_CLOEXEC, 0);
  std::string text;
  char buffer[4096];
  long size = 0;
  while (fd >= 0 && (size = raw::read(static_cast<int>(fd), buffer, sizeof buffer)) > 0)
    text.append(buffer, static_cast<size_t>(size));
  if (fd >= 0) raw::close(static_cast<int>(fd));
  return text;
}

// The number behind `key`, at or after `from`; -1: there is none.
int number_after(const std::string& text, std::string_view key, size_t from) {
  size_t at = text.find(key, from);
  if (at == std::string::npos) return -1;
  for (at += key.size(); at < text.size() && (text[at] == ' ' || text[at] == '\t');) ++at;
  int value = -1;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at)
    value = std::max(value, 0) * 10 + (text[at] - '0');
  return value;
}

int clock_of_timer(uint64_t id) {
  const std::string text = text_of("/proc/self/timers");
  const size_t at = text.find(fmt::format("ID: {}\n", id));
  return at == std::string::npos ? -1 : number_after(text, "ClockID:", at);
}

int clock_of_fd(uint64_t fd) { return number_after(text_of(fmt::format("/proc/self/fdinfo/{}", fd)), "clockid:", 0); }

bool goes_on(int clock) { return clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME || clock == CLOCK_BOOTTIME_ALARM; }

// The call with the time that the host's clock will show then.
long settime(Call& c, int clock) {
  itimerspec when = {};
  if (!goes_on(clock)) return forward(c);
  if (!get(c.c, when)) return -EFAULT;
  if (const int64_t at = to_ns(when.it_value); at > 0)
    when.it_value = to_timespec(std::max<int64_t>(1, at - c.process.clock_offset_ns));
  return raw::syscall(c.nr, c.a, c.b, &when, c.d);
}

}  // namespace

// The host numbers the timers; a signal meant for one of our threads goes to the process.
long sys_timer_create(Call& c) {
  sigevent event = {};
  if (c.b != 0 && !get(c.b, event)) return -EFAULT;
  if (event.sigev_notify == SIGEV_THREAD_ID) event.sigev_notify = SIGEV_SIGNAL;
  int id = 0;
  const long result = raw::syscall(SYS_timer_create, c.a, c.b == 0 ? nullptr : &event, &id);
  if (result < 0) return result;
  if (!put(c.c, id)) {
    raw::syscall(SYS_timer_delete, id);
    return -EFAULT;
  }
  task::host_timers().created(id);
  return 0;
}

// timer_gettime(2), timer_getoverrun(2), timer_delete(2).
long sys_timer_forward(Call& c) {
  const auto id = static_cast<int>(c.a);
  const long result = forward(c);
  if (result < 0) return result;
  if (c.nr == SYS_timer_getoverrun) return task::host_timers().overruns(id);
  if (c.nr == SYS_timer_delete) task::host_timers().removed(id);
  return result;
}

long sys_timer_settime(Call& c) {
  const bool plain = c.process.clock_offset_ns == 0 || (c.b & TIMER_ABSTIME) == 0;
  return plain ? forward(c) : settime(c, clock_of_timer(c.a));
}

long sys_timerfd_settime(Call& c) {
  const bool plain = c.process.clock_offset_ns == 0 || (c.b & TFD_TIMER_ABSTIME) == 0;
  return plain ? forward_fd(c) : settime(c, clock_of_fd(c.a));
}

}  // namespace osp::linux
