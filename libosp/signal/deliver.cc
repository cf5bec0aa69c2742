#include "libosp/signal/deliver.h"

#include <string.h>
#include <sys/wait.h>

#include <algorithm>
#include <bit>

#include "base/log.h"
#include "base/raw_syscall.h"
#include "libosp/file/files.h"
#include "libosp/linux/trace.h"
#include "libosp/ptrace/tracee.h"
#include "libosp/signal/frame.h"
#include "libosp/task/host_timers.h"
#include "libosp/task/worker.h"
#include "libosp/trap/raw_handler.h"

namespace osp::signal {
namespace {

using task::Process;
using task::Thread;

std::optional<siginfo_t> take(Thread& thread) {
  if (auto own = thread.signals.pending.take(~thread.signals.mask)) return own;
  if (thread.process.signals.pending.set() == 0) return std::nullopt;
  auto shared = thread.process.signals.pending.take(thread.process.takes(thread));
  if (shared) thread.process.files->signal_taken();
  return shared;
}

// The default action "stop" is the host's: our parent sees it as the shell expects.
void stop(Thread& thread, int signo) {
  Process& process = thread.process;
  if (ptrace::group_stop(thread, signo)) return;
  if (process.environment != nullptr) return process.environment->stopped(process, signo);
  trap::install_disposition(signo, false);
  raw::syscall(SYS_kill, raw::getpid(), signo);
  mirror(process, signo);
}

void default_action(Thread& thread, const siginfo_t& info) {
  switch (default_of(info.si_signo)) {
    case Default::ignore:
    case Default::go_on:
      return;
    case Default::stop:
      return stop(thread, info.si_signo);
    case Default::terminate:
      thread.process.end(W_EXITCODE(0, info.si_signo));
  }
}

// The interrupted call begins again when the program goes on: rip is behind a syscall instruction.
void rewind(Thread& thread) {
  thread.regs.rax = thread.regs.orig_rax;
  thread.regs.rip -= 2;
  thread.rewound_rip = thread.regs.rip;
}

void settle_call(Thread& thread, const Action& action) {
  const long code = std::exchange(thread.interrupted, 0);
  if (code == 0) return;
  if (code == task::restart_always) {
    rewind(thread);
    thread.rewound_rip = 0;  // it begins for the first time
    return;
  }
  if (code == task::restart_sys && (action.flags & SA_RESTART) != 0) return rewind(thread);
  thread.regs.rax = static_cast<uint64_t>(-EINTR);
}

// No room for the frame is a fault of the program's; where it was that fault's own frame, the end (force_sigsegv() in
// kernel/signal.c).
void fail_to_push(Thread& thread, const siginfo_t& info) {
  if (info.si_signo == SIGSEGV) thread.process.end(W_EXITCODE(0, SIGSEGV));
  force(thread, make_info(SIGSEGV, SI_KERNEL));
}

void call_handler(Thread& thread, const siginfo_t& info) {
  Action& stored = thread.process.signals.actions[static_cast<size_t>(info.si_signo)];
  const Action action = stored;
  if ((action.flags & SA_RESETHAND) != 0) stored.handler = 0;
  settle_call(thread, action);
  const Mask back = thread.signals.saved_mask.value_or(thread.signals.mask);
  trap::Worker& worker = trap::worker();
  const bool fault = info.si_code > 0 && (bit(info.si_signo) &
                                          (bit(SIGSEGV) | bit(SIGBUS) | bit(SIGFPE) | bit(SIGILL) | bit(SIGTRAP))) != 0;
  ++worker.fast.told;
  const auto pushed =
      push_frame(thread, action, info, back, fault ? worker.fault_error : 0, fault ? worker.fault_trap : 0);
  if (!pushed) return fail_to_push(thread, info);
  thread.signals.saved_mask.reset();
  thread.signals.mask |= action.mask & ~unblockable;
  if ((action.flags & SA_NODEFER) == 0) thread.signals.mask |= bit(info.si_signo);
  if (ptrace::is_stepping(thread)) ptrace::handler_entered(thread);
}

}  // namespace

void deliver(Thread& thread) {
  while (auto info = take(thread)) {
    task::host_timers().tell(*info);
    if (ptrace::here().traced && !ptrace::signal_stop(thread, *info)) continue;
    const uint64_t handler = thread.process.signals.actions[static_cast<size_t>(info->si_signo)].handler;
    if (thread.process.trace) linux::trace_signal(thread, *info);
    if (handler == 0) default_action(thread, *info);
    if (handler > 1) call_handler(thread, *info);
  }
  if (thread.interrupted != 0) {
    thread.interrupted = 0;
    rewind(thread);
  }
  if (thread.signals.saved_mask) {
    set_mask(thread, *thread.signals.saved_mask);
    thread.signals.saved_mask.reset();
    if (thread.process.has_signal(thread)) deliver(thread);
  }
}

void force(Thread& thread, const siginfo_t& fault) {
  siginfo_t info = fault;
  if (ptrace::here().traced && !ptrace::signal_stop(thread, info)) return;
  Action& action = thread.process.signals.actions[static_cast<size_t>(info.si_signo)];
  const bool blocked = (thread.signals.mask & bit(info.si_signo)) != 0;
  if (blocked || action.handler <= 1) {
    if (thread.process.trace) linux::trace_signal(thread, info);
    log::info("signal", "{} at {:#x}, address {}", sigdescr_np(info.si_signo), thread.regs.rip, info.si_addr);
    thread.process.end(W_EXITCODE(0, info.si_signo));
  }
  if (thread.process.trace) linux::trace_signal(thread, info);
  call_handler(thread, info);
}

long return_from_handler(Thread& thread) {
  if (pop_frame(thread)) {
    thread.regs.kind = trap::Kind::none;
    return task::call_was_replaced;
  }
  force(thread, make_info(SIGSEGV, SI_KERNEL));
  return task::call_was_replaced;
}

namespace {

// Linux keeps a signal that is blocked though it is ignored: both may change. Of children it tells nobody who ignores
// it.
bool is_kept(const Process& process, int signo) {
  const auto blocks = [signo](const auto& thread) { return (thread->signals.mask & bit(signo)) != 0; };
  return signo != SIGCHLD && std::any_of(process.threads.begin(), process.threads.end(), blocks);
}

// Those of `changed` that are ignored have to be told to the host, or not any more.
void mirror_ignored(Process& process, Mask changed) {
  changed &= process.signals.seen_ignored;
  for (; changed != 0; changed &= changed - 1) {
    const int signo = std::countr_zero(changed) + 1;
    if (process.signals.actions[static_cast<size_t>(signo)].handler == 1) mirror(process, signo);
  }
}

}  // namespace

void mirror(Process& process, int signo) {
  if (process.environment != nullptr) return;
  if (signo == trap::tick_signal || signo == trap::control_signal) return;
  const Action& action = process.signals.actions[static_cast<size_t>(signo)];
  if (action.handler == 1) process.signals.seen_ignored |= bit(signo);
  const bool is_seen = signo == SIGSYS || (ptrace::here().traced && signo != SIGCHLD);  // by the core, or by a tracer
  if (action.handler == 1 && !is_seen && !is_kept(process, signo)) {
    trap::install_disposition(signo, true);
  } else {
    const uint64_t child_flags = signo == SIGCHLD ? action.flags & (SA_NOCLDSTOP | SA_NOCLDWAIT) : 0;
    trap::install_handler(signo, child_flags);
  }
}

void clear_handlers(Process& process) {
  for (int signo = 1; signo <= last_signal; ++signo) {
    Action& action = process.signals.actions[static_cast<size_t>(signo)];
    const bool ignored = action.handler == 1;
    const bool child = signo == SIGCHLD && action.flags != 0;
    action = {};
    if (ignored) action.handler = 1;
    if (child) mirror(process, signo);
  }
}

void set_temporary_mask(Thread& thread, Mask mask) {
  if (!thread.signals.saved_mask) thread.signals.saved_mask = thread.signals.mask;
  thread.signals.mask = mask & ~unblockable;
}

void set_mask(Thread& thread, Mask mask) {
  mask &= ~unblockable;
  const Mask different = thread.signals.mask ^ mask;
  thread.signals.mask = mask;
  if (different != 0) mirror_ignored(thread.process, different);
}

namespace {

constexpr Mask terminal = bit(SIGTTIN) | bit(SIGTTOU);

}  // namespace

bool is_mask_shown(const Thread& thread) {
  return ((thread.signals.mask ^ task::this_worker().terminal_mask) & terminal) == 0 ||
         thread.process.environment != nullptr;
}

void show_mask_to_terminals(const Thread& thread) {
  if (is_mask_shown(thread)) return;
  const Mask wanted = thread.signals.mask & terminal;
  task::this_worker().terminal_mask = wanted;
  raw::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &wanted, 0, 8);
}

siginfo_t make_info(int signo, int code) {
  siginfo_t info = {};
  info.si_signo = signo;
  info.si_code = code;
  return info;
}

}  // namespace osp::signal
