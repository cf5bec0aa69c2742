#include "libosp/linux/poll.h"

#include <sys/epoll.h>
#include <sys/select.h>

#include <array>

#include "libosp/host/side.h"
#include "libosp/linux/clock.h"
#include "libosp/signal/deliver.h"

namespace osp::linux {
namespace {

constexpr uint64_t mask_size = 8;
constexpr uint64_t max_fds = 1 << 20;

// The deadline of a call that may have been restarted. Kept as the program's first wish.
uint64_t deadline_for(Call& c, const timespec* timeout) {
  if (timeout == nullptr) return no_deadline;
  if (timeout->tv_sec == 0 && timeout->tv_nsec == 0) return at_once;
  if (c.thread.restarting && c.thread.restart_deadline != 0) return c.thread.restart_deadline;
  c.thread.restart_deadline = host_deadline(c, CLOCK_MONOTONIC, *timeout, false);
  return c.thread.restart_deadline;
}

long poll_program_fds(Call& c, PollUntil wait, uint64_t deadline) {
  if (c.b > max_fds) return -EINVAL;
  std::vector<pollfd> fds(c.b);
  if (c.b != 0 && osp_user_copy(fds.data(), Call::pointer<void>(c.a), c.b * sizeof(pollfd)) != 0) return -EFAULT;
  const long result = wait(c, fds, deadline);
  if (result < 0) return result;
  return c.b == 0 || osp_user_copy(Call::pointer<void>(c.a), fds.data(), c.b * sizeof(pollfd)) == 0 ? result : -EFAULT;
}

struct Sets {
  std::array<fd_set, 3> of = {};  // read, write, except
};

constexpr std::array<short, 3> wanted_events = {POLLIN | POLLRDHUP, POLLOUT, POLLPRI};
constexpr std::array<short, 3> ready_events = {POLLIN | POLLHUP | POLLERR | POLLRDHUP, POLLOUT | POLLERR, POLLPRI};

std::vector<pollfd> to_poll(int count, const Sets& sets) {
  std::vector<pollfd> fds;
  for (int fd = 0; fd < count; ++fd) {
    short events = 0;
    for (size_t i = 0; i < 3; ++i)
      if (FD_ISSET(fd, &sets.of[i])) events = static_cast<short>(events | wanted_events[i]);
    if (events != 0) fds.push_back({fd, events, 0});
  }
  return fds;
}

long from_poll(const std::vector<pollfd>& fds, const Sets& asked, Sets& result) {
  long count = 0;
  for (const pollfd& p : fds) {
    if ((p.revents & POLLNVAL) != 0) return -EBADF;
    for (size_t i = 0; i < 3; ++i) {
      if (!FD_ISSET(p.fd, &asked.of[i]) || (p.revents & ready_events[i]) == 0) continue;
      FD_SET(p.fd, &result.of[i]);
      ++count;
    }
  }
  return count;
}

long select_until(Call& c, PollUntil wait, uint64_t deadline) {
  if (static_cast<int>(c.a) < 0) return -EINVAL;
  const int count = std::min(static_cast<int>(c.a), FD_SETSIZE);
  const std::array<uint64_t, 3> addresses = {c.b, c.c, c.d};
  const size_t size = (static_cast<size_t>(count) + 63) / 64 * 8;
  Sets asked, result;
  for (size_t i = 0; i < 3; ++i)
    if (addresses[i] != 0 && osp_user_copy(&asked.of[i], Call::pointer<void>(addresses[i]), size) != 0) return -EFAULT;
  std::vector<pollfd> fds = to_poll(count, asked);
  const long polled = wait(c, fds, deadline);
  if (polled < 0) return polled;
  const long ready = from_poll(fds, asked, result);
  if (ready < 0) return ready;
  for (size_t i = 0; i < 3; ++i)
    if (addresses[i] != 0 && osp_user_copy(Call::pointer<void>(addresses[i]), &result.of[i], size) != 0) return -EFAULT;
  return ready;
}

// Puts the mask of ppoll and its like in force. False: EFAULT or EINVAL in `error`.
bool take_mask(Call& c, uint64_t address, uint64_t size, long& error) {
  if (address == 0 || c.thread.signals.saved_mask) return true;
  signal::Mask mask = 0;
  error = size != mask_size ? -EINVAL : (get(address, mask) ? 0 : -EFAULT);
  if (error != 0) return false;
  signal::set_temporary_mask(c.thread, mask);
  return true;
}

long nohand(long result) { return result == task::restart_block ? static_cast<long>(task::restart_nohand) : result; }

// personality(2): the time that is left is not told.
bool keeps_timeout() {
  constexpr long sticky = 0x4000000, query = 0xffffffff;
  return !host::is_native() && (raw::syscall(SYS_personality, query) & sticky) != 0;
}

uint64_t deadline_in_ms(Call& c, int ms) {
  if (ms < 0) return no_deadline;
  const timespec t = {ms / 1000, (ms % 1000) * 1'000'000L};
  return deadline_for(c, &t);
}

}  // namespace

timespec time_left(uint64_t deadline) {
  const uint64_t now = task::host_now_ns();
  return to_timespec(deadline > now ? static_cast<int64_t>(deadline - now) : 0);
}

bool over(uint64_t deadline) {
  return deadline == at_once || (deadline != no_deadline && task::host_now_ns() >= deadline);
}

long poll_by(Call& c, PollUntil wait) { return poll_program_fds(c, wait, deadline_in_ms(c, static_cast<int>(c.c))); }

long ppoll_by(Call& c, PollUntil wait) {
  timespec timeout = {};
  if (c.c != 0 && !get(c.c, timeout)) return -EFAULT;
  const uint64_t deadline = deadline_for(c, c.c != 0 ? &timeout : nullptr);
  if (long error = 0; !take_mask(c, c.d, c.e, error)) return error;
  const long result = nohand(poll_program_fds(c, wait, deadline));
  if (c.c != 0 && deadline != at_once && !keeps_timeout() && !put(c.c, time_left(deadline))) return -EFAULT;
  return result;
}

long select_by(Call& c, PollUntil wait) {
  struct {
    int64_t seconds, microseconds;
  } timeout = {};
  if (c.e != 0 && !get(c.e, timeout)) return -EFAULT;
  if (timeout.seconds < 0 || timeout.microseconds < 0) return -EINVAL;
  const timespec t = {timeout.seconds + timeout.microseconds / 1'000'000, timeout.microseconds % 1'000'000 * 1000};
  const uint64_t deadline = deadline_for(c, c.e != 0 ? &t : nullptr);
  const long result = nohand(select_until(c, wait, deadline));
  if (c.e != 0 && deadline != at_once && !keeps_timeout()) {
    const timespec left = time_left(deadline);
    timeout = {left.tv_sec, left.tv_nsec / 1000};
    if (!put(c.e, timeout)) return -EFAULT;
  }
  return result;
}

long pselect6_by(Call& c, PollUntil wait) {
  timespec timeout = {};
  if (c.e != 0 && !get(c.e, timeout)) return -EFAULT;
  if (timeout.tv_sec < 0 || timeout.tv_nsec < 0 || timeout.tv_nsec >= 1'000'000'000) return -EINVAL;
  struct {
    uint64_t mask, size;
  } sixth = {};
  if (c.f != 0 && !get(c.f, sixth)) return -EFAULT;
  const uint64_t deadline = deadline_for(c, c.e != 0 ? &timeout : nullptr);
  if (long error = 0; !take_mask(c, sixth.mask, sixth.size, error)) return error;
  const long result = nohand(select_until(c, wait, deadline));
  if (c.e != 0 && deadline != at_once && !keeps_timeout() && !put(c.e, time_left(deadline))) return -EFAULT;
  return result;
}

long epoll_wait_by(Call& c, EpollUntil wait) { return wait(c, deadline_in_ms(c, static_cast<int>(c.d))); }

long epoll_pwait_by(Call& c, EpollUntil wait) {
  if (long error = 0; !take_mask(c, c.e, c.f, error)) return error;
  return wait(c, deadline_in_ms(c, static_cast<int>(c.d)));
}

long epoll_pwait2_by(Call& c, EpollUntil wait) {
  timespec timeout = {};
  if (c.d != 0 && !get(c.d, timeout)) return -EFAULT;
  if (timeout.tv_sec < 0 || timeout.tv_nsec < 0 || timeout.tv_nsec >= 1'000'000'000) return -EINVAL;
  if (long error = 0; !take_mask(c, c.e, c.f, error)) return error;
  return wait(c, deadline_for(c, c.d != 0 ? &timeout : nullptr));
}

}  // namespace osp::linux
