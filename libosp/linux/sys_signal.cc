// Signals: rt_sigaction(2), rt_sigprocmask(2), kill(2), sigtimedwait(2)…
#include <fcntl.h>
#include <sys/resource.h>

#include <bit>

#include "libosp/file/signal_file.h"
#include "libosp/linux/calls.h"
#include "libosp/linux/clock.h"
#include "libosp/ptrace/here.h"
#include "libosp/ptrace/tracer.h"
#include "libosp/signal/deliver.h"
#include "libosp/task/blocking.h"
#include "libosp/task/host_timers.h"

namespace osp::linux {
namespace {

using signal::Action;
using signal::Mask;

constexpr uint64_t mask_size = 8;

bool valid_signal(uint64_t signo) { return signo >= 1 && signo <= signal::last_signal; }

siginfo_t sent_by_us(const Call& c, int signo, int code) {
  siginfo_t info = signal::make_info(signo, code);
  info.si_pid = c.process.pid;
  info.si_uid = task::credentials_of(c.process).uid;
  return info;
}

// RLIMIT_SIGPENDING, of which real-time signals alone are refused. Each that is pending counts once at least.
bool queue_is_full(const Call& c, const task::Thread& to, uint64_t signo) {
  constexpr uint64_t first_queued = 32;
  rlimit limit = {};
  if (signo < first_queued || raw::syscall(SYS_getrlimit, RLIMIT_SIGPENDING, &limit) < 0) return false;
  return static_cast<rlim_t>(std::popcount(to.signals.pending.set() | c.process.signals.pending.set())) >=
         limit.rlim_cur;
}

}  // namespace

long sys_rt_sigaction(Call& c) {
  if (c.d != mask_size || !valid_signal(c.a)) return -EINVAL;
  Action& current = c.process.signals.actions[c.a];
  const Action old = current;
  if (c.b != 0) {
    Action wanted;
    if (!get(c.b, wanted)) return -EFAULT;
    if (c.a == SIGKILL || c.a == SIGSTOP) return -EINVAL;
    wanted.mask &= ~signal::unblockable;
    current = wanted;
    const bool host_differs = (old.handler == 1) != (wanted.handler == 1) || c.a == SIGCHLD;
    if (host_differs) signal::mirror(c.process, static_cast<int>(c.a));
    // POSIX: setting a signal to be ignored discards it, even where it is blocked.
    if (c.process.signals.ignored(static_cast<int>(c.a))) {
      c.process.signals.pending.remove(signal::bit(static_cast<int>(c.a)));
      for (const auto& thread : c.process.threads) thread->signals.pending.remove(signal::bit(static_cast<int>(c.a)));
    }
  }
  if (c.c != 0 && !put(c.c, old)) return -EFAULT;
  return 0;
}

long sys_rt_sigprocmask(Call& c) {
  if (c.d != mask_size) return -EINVAL;
  const Mask old = c.thread.signals.mask;
  if (c.b != 0) {
    Mask set = 0;
    if (!get(c.b, set)) return -EFAULT;
    switch (c.a) {
      case SIG_BLOCK:
        signal::set_mask(c.thread, old | set);
        break;
      case SIG_UNBLOCK:
        signal::set_mask(c.thread, old & ~set);
        break;
      case SIG_SETMASK:
        signal::set_mask(c.thread, set);
        break;
      default:
        return -EINVAL;
    }
  }
  return c.c == 0 || put(c.c, old) ? 0 : -EFAULT;
}

long sys_rt_sigpending(Call& c) {
  if (c.b > mask_size) return -EINVAL;
  c.process.collect_signals();
  const Mask pending = (c.thread.signals.pending.set() | c.process.signals.pending.set()) & c.thread.signals.mask;
  return put(c.a, pending) ? 0 : -EFAULT;
}

long sys_rt_sigsuspend(Call& c) {
  Mask mask = 0;
  if (c.b != mask_size) return -EINVAL;
  if (!get(c.a, mask)) return -EFAULT;
  signal::set_temporary_mask(c.thread, mask);
  return sys_pause(c);
}

long sys_pause(Call& c) {
  while (!c.process.signal_waits(c.thread) && !c.thread.exiting) {
    if (c.process.owns_worker()) {
      task::interruptible_call(SYS_ppoll, 0, 0, 0, 0, 8, 0);
    } else {
      c.process.scheduler.park(c.thread, 0, true);
    }
  }
  return task::restart_nohand;
}

long sys_rt_sigtimedwait(Call& c) {
  Mask wanted = 0;
  timespec timeout = {};
  if (c.d != mask_size) return -EINVAL;
  if (!get(c.a, wanted) || (c.c != 0 && !get(c.c, timeout))) return -EFAULT;
  wanted &= ~signal::unblockable;
  const bool goes_on = c.thread.restarting && c.thread.restart_deadline != 0;
  const uint64_t deadline =
      goes_on || c.c == 0 ? c.thread.restart_deadline : host_deadline(c, CLOCK_MONOTONIC, timeout, false);
  c.thread.restart_deadline = deadline;
  for (;;) {
    c.process.collect_signals();
    auto info = c.thread.signals.pending.take(wanted);
    if (!info) info = c.process.signals.pending.take(wanted);
    if (info) {
      c.process.files->signal_taken();
      task::host_timers().tell(*info);
      if (c.b != 0 && !put(c.b, *info)) return -EFAULT;
      return info->si_signo;
    }
    if (deadline != 0 && task::host_now_ns() >= deadline) return -EAGAIN;
    if (c.thread.exiting || c.process.has_signal(c.thread)) return -EINTR;
    if (c.process.stop_requested()) return task::restart_block;
    c.thread.signals.waiting_for = wanted;
    // A wanted signal is blocked: whatever asks for signals now (park(), interruptible_call()) would take it unseen.
    if (c.process.owns_worker()) {
      const timespec left = to_timespec(deadline == 0 ? 0 : static_cast<int64_t>(deadline - task::host_now_ns()));
      task::blocking_call(SYS_ppoll, 0, 0, deadline == 0 ? 0 : raw::arg(&left), 0, 8, 0);
    } else {
      c.process.scheduler.park_now(c.thread, deadline, true);
    }
    c.thread.signals.waiting_for = 0;
  }
}

long sys_rt_sigreturn(Call& c) { return signal::return_from_handler(c.thread); }

long sys_sigaltstack(Call& c) {
  stack_t& current = c.thread.signals.alternate;
  stack_t old = current;
  const uint64_t sp = c.thread.regs.rsp, start = reinterpret_cast<uint64_t>(old.ss_sp);
  const bool on_it = (old.ss_flags & SS_DISABLE) == 0 && sp > start && sp - start <= old.ss_size;
  if (on_it) old.ss_flags |= SS_ONSTACK;
  if (c.a != 0) {
    stack_t wanted = {};
    if (!get(c.a, wanted)) return -EFAULT;
    if (on_it) return -EPERM;
    const int mode = wanted.ss_flags & INT32_MAX;
    if (mode != 0 && mode != SS_DISABLE && mode != SS_ONSTACK) return -EINVAL;
    if (mode == SS_DISABLE) {
      wanted = {nullptr, SS_DISABLE, 0};
    } else if (wanted.ss_size < 2048) {
      return -ENOMEM;
    } else {
      wanted.ss_flags &= ~SS_ONSTACK;
    }
    current = wanted;
  }
  return c.b == 0 || put(c.b, old) ? 0 : -EFAULT;
}

// To ourselves it goes the core's way: the host would not tell threads apart.
long sys_kill(Call& c) {
  const auto pid = static_cast<int>(c.a);
  if (!is_own_id(c, c.a)) {
    if (c.b == SIGSTOP)
      if (const auto sent = ptrace::send(c.process, pid, SIGSTOP, task::credentials_of(c.process).uid)) return *sent;
    return raw::syscall(SYS_kill, pid, c.b);
  }
  if (c.b == 0) return 0;
  if (!valid_signal(c.b)) return -EINVAL;
  const bool stops_here = c.b == SIGSTOP && !ptrace::here().traced;
  if (c.b == SIGKILL || stops_here) return raw::syscall(SYS_kill, c.process.host_pid, c.b);
  c.process.send(sent_by_us(c, static_cast<int>(c.b), SI_USER));
  return 0;
}

long sys_tgkill(Call& c) {
  const bool has_group = c.nr == SYS_tgkill;
  const auto group = static_cast<int>(c.a);
  const auto tid = static_cast<int>(has_group ? c.b : c.a);
  const uint64_t signo = has_group ? c.c : c.b;
  if (tid <= 0 || (has_group && group <= 0)) return -EINVAL;
  if (signo != 0 && !valid_signal(signo)) return -EINVAL;
  task::Thread* thread = c.process.find_thread(tid);
  if (thread == nullptr || (has_group && group != c.process.pid)) {
    if (has_group && group == c.process.pid) return -ESRCH;
    const auto sent = ptrace::send(c.process, tid, static_cast<int>(signo), task::credentials_of(c.process).uid);
    return sent ? *sent : forward(c);
  }
  if (signo == 0) return 0;
  if (signo == SIGKILL || (signo == SIGSTOP && !ptrace::here().traced))
    return raw::syscall(SYS_kill, c.process.host_pid, signo);
  if (queue_is_full(c, *thread, signo)) return -EAGAIN;
  c.process.send(*thread, sent_by_us(c, static_cast<int>(signo), SI_TKILL));
  return 0;
}

long sys_rt_sigqueueinfo(Call& c) {
  const bool to_thread = c.nr == SYS_rt_tgsigqueueinfo;
  siginfo_t info = {};
  const uint64_t signo = to_thread ? c.c : c.b;
  if (!get(to_thread ? c.d : c.c, info)) return -EFAULT;
  if (!valid_signal(signo)) return -EINVAL;
  if (!is_own_id(c, c.a)) return forward(c);
  info.si_signo = static_cast<int>(signo);
  if (!to_thread) {
    c.process.send(info);
    return 0;
  }
  task::Thread* thread = c.process.find_thread(static_cast<int>(c.b));
  if (thread == nullptr) return -ESRCH;
  c.process.send(*thread, info);
  return 0;
}

long sys_signalfd4(Call& c) {
  Mask mask = 0;
  if (c.c != mask_size) return -EINVAL;
  if (!get(c.b, mask)) return -EFAULT;
  const int flags = c.nr == SYS_signalfd4 ? static_cast<int>(c.d) : 0;
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) != 0) return -EINVAL;
  return file::make_signal_file(c.thread, static_cast<int>(c.a), mask, flags);
}

}  // namespace osp::linux
