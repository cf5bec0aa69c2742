// poll(2), select(2), epoll_wait(2): the host's, on the host's fds and placeholders. With several threads
// the wait is the scheduler's.
#include "libosp/linux/calls.h"
#include "libosp/linux/poll.h"
#include "libosp/task/blocking.h"

namespace osp::linux {

long poll_now(std::span<pollfd> fds) {
  const timespec none = {};
  long ready = 0;
  do {
    ready = raw::syscall(SYS_ppoll, fds.data(), fds.size(), &none, 0, 8);
  } while (ready == -EINTR);
  return ready;
}

namespace {

// Whether the host may keep the caller's worker until something happens: nothing else would run on it.
bool can_wait_in_host(const Call& c, uint64_t deadline) {
  return c.process.owns_worker() || (deadline != at_once && c.process.scheduler.can_spare_worker());
}

// poll on a copy of the program's array; revents are filled in. Count, or minus an errno, or Restart.
long poll_until(Call& c, std::vector<pollfd>& fds, uint64_t deadline) {
  for (;;) {
    if (can_wait_in_host(c, deadline)) {
      if (c.process.signal_waits(c.thread)) {  // ppoll's mask may have let in one that was pending
        const long ready = poll_now(fds);
        return ready != 0 ? ready : static_cast<long>(task::restart_block);
      }
      const timespec left = time_left(deadline);
      const long result = task::interruptible_call(SYS_ppoll, raw::arg(fds.data()), raw::arg(fds.size()),
                                                   deadline == no_deadline ? 0 : raw::arg(&left), 0, 8, 0);
      if (!trap::was_interrupted(result)) return result;
      continue;
    }
    const long ready = poll_now(fds);
    if (ready != 0) return ready;
    if (over(deadline)) return 0;
    const task::Wake why = c.process.scheduler.wait(c.thread, fds, deadline);
    if (why == task::Wake::signal) return task::restart_block;
  }
}

// epoll_wait(2) is never begun again after a signal, whatever SA_RESTART says.
long epoll_until(Call& c, uint64_t deadline) {
  const auto interrupted = [&c] {
    return c.process.has_signal(c.thread) ? -EINTR : static_cast<long>(task::restart_block);
  };
  for (;;) {
    if (can_wait_in_host(c, deadline)) {
      if (c.process.signal_waits(c.thread)) {
        const long ready = raw::syscall(SYS_epoll_pwait, c.a, c.b, c.c, 0, 0, 8);
        return ready != 0 ? ready : interrupted();
      }
      const timespec left = time_left(deadline);
      const long result =
          task::interruptible_call(SYS_epoll_pwait2, static_cast<long>(c.a), static_cast<long>(c.b),
                                   static_cast<long>(c.c), deadline == no_deadline ? 0 : raw::arg(&left), 0, 8);
      if (!trap::was_interrupted(result)) return result;
      continue;
    }
    const long ready = raw::syscall(SYS_epoll_pwait, c.a, c.b, c.c, 0, 0, 8);
    if (ready != 0) return ready;
    if (over(deadline)) return 0;
    pollfd wait = {static_cast<int>(c.a), POLLIN, 0};
    if (c.process.scheduler.wait(c.thread, {&wait, 1}, deadline) == task::Wake::signal) return interrupted();
  }
}

}  // namespace

long sys_poll(Call& c) { return poll_by(c, poll_until); }
long sys_ppoll(Call& c) { return ppoll_by(c, poll_until); }
long sys_select(Call& c) { return select_by(c, poll_until); }
long sys_pselect6(Call& c) { return pselect6_by(c, poll_until); }
long sys_epoll_wait(Call& c) { return epoll_wait_by(c, epoll_until); }
long sys_epoll_pwait(Call& c) { return epoll_pwait_by(c, epoll_until); }
long sys_epoll_pwait2(Call& c) { return epoll_pwait2_by(c, epoll_until); }

}  // namespace osp::linux
