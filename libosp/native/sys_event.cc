// eventfd(2), timerfd_create(2) and epoll(7) natively.
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <algorithm>

#include "libosp/device/epoll.h"
#include "libosp/device/event_file.h"
#include "libosp/device/timer_file.h"
#include "libosp/linux/clock.h"
#include "libosp/linux/poll.h"
#include "libosp/native/calls.h"

namespace osp::native {
namespace {

using linux::get;
using linux::put;

constexpr int known_flags = O_CLOEXEC | O_NONBLOCK;

long install(Call& c, std::shared_ptr<file::Description> file, int flags) {
  return c.process.files->install(std::move(file), (flags & O_CLOEXEC) != 0);
}

template <class T>
std::shared_ptr<T> file_as(Call& c) {
  return std::dynamic_pointer_cast<T>(c.process.files->share(static_cast<int>(c.a)));
}

long not_such(Call& c) { return c.process.files->find(static_cast<int>(c.a)) == nullptr ? -EBADF : -EINVAL; }

}  // namespace

long sys_eventfd(Call& c) {
  const int flags = c.nr == SYS_eventfd2 ? static_cast<int>(c.b) : 0;
  if ((flags & ~(known_flags | EFD_SEMAPHORE)) != 0) return -EINVAL;
  const bool is_semaphore = (flags & EFD_SEMAPHORE) != 0;
  return install(
      c, std::make_shared<device::EventFile>(static_cast<uint32_t>(c.a), is_semaphore, O_RDWR | (flags & O_NONBLOCK)),
      flags);
}

long sys_timerfd_create(Call& c) {
  const auto clock = static_cast<int>(c.a), flags = static_cast<int>(c.b);
  const bool known = clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME ||
                     clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM;
  if (!known || (flags & ~known_flags) != 0) return -EINVAL;
  return install(
      c, std::make_shared<device::TimerFile>(clock, c.process.scheduler.alarms(), O_RDWR | (flags & O_NONBLOCK)),
      flags);
}

namespace {

bool is_valid(const timespec& t) { return t.tv_sec >= 0 && t.tv_nsec >= 0 && t.tv_nsec < 1'000'000'000; }

itimerspec describe(device::TimerFile& timer) {
  const auto setting = timer.setting();
  itimerspec now = {linux::to_timespec(static_cast<int64_t>(setting.interval_ns)), {}};
  if (setting.deadline_ns != 0)
    now.it_value = linux::to_timespec(
        std::max<int64_t>(1, static_cast<int64_t>(setting.deadline_ns) - static_cast<int64_t>(task::host_now_ns())));
  return now;
}

}  // namespace

long sys_timerfd_settime(Call& c) {
  itimerspec wanted = {};
  if (!get(c.c, wanted)) return -EFAULT;
  if (!is_valid(wanted.it_value) || !is_valid(wanted.it_interval)) return -EINVAL;
  if ((c.b & ~uint64_t{TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET}) != 0) return -EINVAL;
  const auto timer = file_as<device::TimerFile>(c);
  if (timer == nullptr) return not_such(c);
  const itimerspec before = describe(*timer);
  device::TimerFile::Setting setting;
  const bool is_realtime = timer->clock() == CLOCK_REALTIME || timer->clock() == CLOCK_REALTIME_ALARM;
  if (wanted.it_value.tv_sec != 0 || wanted.it_value.tv_nsec != 0)
    setting.deadline_ns = linux::host_deadline(c, is_realtime ? CLOCK_REALTIME : CLOCK_MONOTONIC, wanted.it_value,
                                               (c.b & TFD_TIMER_ABSTIME) != 0);
  setting.interval_ns = static_cast<uint64_t>(linux::to_ns(wanted.it_interval));
  timer->set(setting);
  return c.d == 0 || put(c.d, before) ? 0 : -EFAULT;
}

long sys_timerfd_gettime(Call& c) {
  const auto timer = file_as<device::TimerFile>(c);
  if (timer == nullptr) return not_such(c);
  return put(c.b, describe(*timer)) ? 0 : -EFAULT;
}

long sys_epoll_create(Call& c) {
  const bool has_flags = c.nr == SYS_epoll_create1;
  if (has_flags ? (c.a & ~uint64_t{O_CLOEXEC}) != 0 : static_cast<int>(c.a) <= 0) return -EINVAL;
  return install(c, std::make_shared<device::Epoll>(), has_flags ? static_cast<int>(c.a) : 0);
}

long sys_epoll_ctl(Call& c) {
  epoll_event event = {};
  const auto operation = static_cast<int>(c.b), fd = static_cast<int>(c.c);
  if (operation != EPOLL_CTL_DEL && !get(c.d, event)) return -EFAULT;
  const auto file = c.process.files->share(fd);
  if (c.process.files->find(static_cast<int>(c.a)) == nullptr || file == nullptr) return -EBADF;
  const auto epoll = file_as<device::Epoll>(c);
  if (file->changes() == nullptr) return -EPERM;
  if (epoll == nullptr || epoll == file) return -EINVAL;
  switch (operation) {
    case EPOLL_CTL_ADD:
      return epoll->add(fd, file, event);
    case EPOLL_CTL_MOD:
      return epoll->change(fd, *file, event);
    case EPOLL_CTL_DEL:
      return epoll->remove(fd, *file);
    default:
      return -EINVAL;
  }
}

namespace {

constexpr int most_events = 4096;  // at once

// epoll_wait(2) is never begun again after a signal, whatever SA_RESTART says.
long epoll_until(Call& c, uint64_t deadline) {
  const auto epoll = file_as<device::Epoll>(c);
  const auto wanted = static_cast<int>(c.c);
  if (epoll == nullptr) return not_such(c);
  if (wanted <= 0 || static_cast<size_t>(wanted) > INT32_MAX / sizeof(epoll_event)) return -EINVAL;
  std::vector<epoll_event> events(static_cast<size_t>(std::min(wanted, most_events)));
  for (bool interrupted = false;;) {
    const size_t count = epoll->take(events);
    if (count > 0) {
      const size_t size = count * sizeof(epoll_event);
      return osp_user_copy(Call::pointer<void>(c.b), events.data(), size) == 0 ? static_cast<long>(count) : -EFAULT;
    }
    if (interrupted) return c.process.has_signal(c.thread) ? -EINTR : static_cast<long>(task::restart_block);
    if (linux::over(deadline)) return 0;
    interrupted = task::wait_on(c.thread, *epoll->changes(), deadline) == task::Wake::signal;
  }
}

}  // namespace

long sys_epoll_wait(Call& c) { return linux::epoll_wait_by(c, epoll_until); }
long sys_epoll_pwait(Call& c) { return linux::epoll_pwait_by(c, epoll_until); }
long sys_epoll_pwait2(Call& c) { return linux::epoll_pwait2_by(c, epoll_until); }

}  // namespace osp::native
