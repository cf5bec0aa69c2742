#include "libosp/task/host_timers.h"

#include <algorithm>
#include <utility>

#include "base/raw_syscall.h"
#include "libosp/host/side.h"
#include "libosp/task/process.h"

namespace osp::task {

namespace {

// How often it rang since the host holds its signal back.
void count_held_back(siginfo_t& info) {
  const signal::Mask it = signal::bit(info.si_signo);
  constexpr timespec at_once = {};
  siginfo_t held = {};
  if ((trap::worker().host_mask & it) == 0) return;
  if (raw::syscall(SYS_rt_sigtimedwait, &it, &held, &at_once, sizeof it) < 0) return;
  if (held.si_code != SI_TIMER || held.si_timerid != info.si_timerid) return process().send(held);
  info.si_overrun = static_cast<int>(std::min<int64_t>(int64_t{info.si_overrun} + held.si_overrun + 1, INT32_MAX));
}

}  // namespace

void HostTimers::tell(siginfo_t& info) {
  if (info.si_code != SI_TIMER || host::is_native()) return;
  count_held_back(info);
  if (const auto found = overruns_.find(info.si_timerid); found != overruns_.end()) found->second = info.si_overrun;
}

int HostTimers::overruns(int id) const {
  const auto found = overruns_.find(id);
  return found == overruns_.end() ? 0 : found->second;
}

void HostTimers::remove_all() {
  for (const auto& [id, overruns] : std::exchange(overruns_, {})) raw::syscall(SYS_timer_delete, id);
}

HostTimers& host_timers() {
  [[gnu::section(".hot_data")]] static HostTimers the_timers;
  return the_timers;
}

}  // namespace osp::task
