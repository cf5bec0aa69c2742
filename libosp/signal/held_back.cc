#include "libosp/signal/held_back.h"

#include "base/raw_syscall.h"
#include "libosp/trap/held_back.h"

namespace osp::signal {

void hold_back(const siginfo_t& info) {
  constexpr int first_queued = 32;
  const Mask it = bit(info.si_signo);
  if ((it & trap::never_held_back) != 0 || (info.si_signo >= first_queued && info.si_code != SI_TIMER)) return;
  __atomic_fetch_or(&trap::worker().host_mask, it, __ATOMIC_RELAXED);
  raw::syscall(SYS_rt_sigprocmask, SIG_BLOCK, &it, 0, 8);
}

void take_more(const task::Process& process) {
  uint64_t& held = trap::worker().host_mask;  // the handler changes it too
  const Mask due = __atomic_load_n(&held, __ATOMIC_RELAXED) & ~process.signals.pending.set();
  if (due == 0) return;
  __atomic_fetch_and(&held, ~due, __ATOMIC_RELAXED);
  raw::syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &due, 0, 8);
}

}  // namespace osp::signal
