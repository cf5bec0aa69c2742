#include <linux/futex.h>
#include <time.h>

#include <cerrno>

#include "kernel/call/calls.h"
#include "kernel/cpu/clock.h"
#include "kernel/cpu/processor.h"
#include "kernel/cpu/user_copy.h"
#include "kernel/task/futex.h"
#include "kernel/task/wait.h"

namespace osp::kernel::call {
namespace {

constexpr int64_t second_ns = 1'000'000'000;

// A time of ring 3's in ns; times that do not fit are for ever. EINVAL EFAULT.
long load_time(const timespec* user, int64_t& ns) {
  timespec time = {};
  if (const long result = load_user(user, time); result != 0) return result;
  if (time.tv_sec < 0 || time.tv_nsec < 0 || time.tv_nsec >= second_ns) return -EINVAL;
  ns = time.tv_sec > for_ever / second_ns - 1 ? for_ever : time.tv_sec * second_ns + time.tv_nsec;
  return 0;
}

int64_t sum(int64_t one, int64_t other) { return one > for_ever - other ? for_ever : one + other; }

bool is_realtime(int clock) { return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE; }
bool is_monotonic(int clock) {
  return clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE || clock == CLOCK_MONOTONIC_RAW ||
         clock == CLOCK_BOOTTIME;
}

// What a time by `clock` is by the monotonic one.
int64_t to_monotonic(bool realtime, int64_t ns) {
  if (!realtime || ns == for_ever) return ns;
  return ns > realtime_offset_ns() ? ns - realtime_offset_ns() : 0;
}

long futex_deadline(int operation, const timespec* timeout, int64_t& deadline_ns) {
  deadline_ns = for_ever;
  if (timeout == nullptr) return 0;
  int64_t ns = 0;
  if (const long result = load_time(timeout, ns); result != 0) return result;
  const bool absolute = (operation & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET;
  const bool realtime = (operation & FUTEX_CLOCK_REALTIME) != 0;
  deadline_ns = absolute ? to_monotonic(realtime, ns) : sum(monotonic_ns(), ns);
  return 0;
}

}  // namespace

long futex(uint32_t* word, int operation, uint32_t value, const timespec* timeout, uint32_t*, uint32_t mask) {
  const int command = operation & FUTEX_CMD_MASK;
  const bool with_mask = command == FUTEX_WAIT_BITSET || command == FUTEX_WAKE_BITSET;
  if (!with_mask) mask = FUTEX_BITSET_MATCH_ANY;
  if (mask == 0) return -EINVAL;
  int64_t deadline_ns = for_ever;
  switch (command) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
      if (const long result = futex_deadline(operation, timeout, deadline_ns); result != 0) return result;
      return wait_futex(word, value, deadline_ns, mask);
    case FUTEX_WAKE:
    case FUTEX_WAKE_BITSET:
      return wake_futex(word, value > INT32_MAX ? 0 : value, mask);
    default:
      return -ENOSYS;
  }
}

long clock_gettime(int clock, timespec* user) {
  if (!is_realtime(clock) && !is_monotonic(clock)) return -EINVAL;
  const int64_t now = monotonic_ns() + (is_realtime(clock) ? realtime_offset_ns() : 0);
  return store_user(user, timespec{now / second_ns, now % second_ns});
}

long clock_nanosleep(int clock, int flags, const timespec* time, timespec* left) {
  if (!is_realtime(clock) && !is_monotonic(clock)) return -EINVAL;
  int64_t ns = 0;
  if (const long result = load_time(time, ns); result != 0) return result;
  const bool absolute = (flags & TIMER_ABSTIME) != 0;
  const int64_t deadline_ns = absolute ? to_monotonic(is_realtime(clock), ns) : sum(monotonic_ns(), ns);
  while (monotonic_ns() < deadline_ns) {
    prepare_wait();
    const Wake reason = finish_wait(deadline_ns);
    if (reason == Wake::timeout) continue;
    const int64_t rest = deadline_ns - monotonic_ns();
    if (!absolute && left != nullptr && rest > 0)
      if (const long result = store_user(left, timespec{rest / second_ns, rest % second_ns}); result != 0)
        return result;
    return -EINTR;
  }
  return 0;
}

}  // namespace osp::kernel::call
