#include "libosp/signal/held_back.h"

#include "base/raw_syscall.h"
#include "libosp/task/worker.h"

namespace osp::signal {

void hold_back(const siginfo_t& info) {
  constexpr int first_queued = 32;
  const Mask it = bit(info.si_signo);
  if ((it & trap::never_held_back) != 0 || (info.si_signo >= first_queued && info.si_code != SI_TIMER)) return;
  __atomic_fetch_or(&trap::worker().host_mask, it, __ATOMIC_SEQ_CST);
  trap::some_held_back = true;
  raw::syscall(SYS_rt_sigprocmask, SIG_BLOCK, &it, 0, 8);
}

void take_more(const task::Process& process) {
  const Mask waits = process.signals.pending.set();
  trap::some_held_back = false;
  for (task::Worker* worker : task::workers().all()) {
    uint64_t& held = worker->raw.host_mask;  // its handler changes it too
    const Mask due = __atomic_load_n(&held, __ATOMIC_SEQ_CST) & ~waits;
    if (due != 0 && worker == &task::this_worker()) {
      __atomic_fetch_and(&held, ~due, __ATOMIC_SEQ_CST);
      raw::syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &due, 0, 8);
    } else if (due != 0) {
      task::Workers::kick(*worker);
    }
    if (__atomic_load_n(&held, __ATOMIC_SEQ_CST) != 0) trap::some_held_back = true;
  }
}

}  // namespace osp::signal
