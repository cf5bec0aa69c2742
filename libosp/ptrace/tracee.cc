#include "libosp/ptrace/tracee.h"

#include <linux/ptrace.h>
#include <sched.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "base/raw_syscall.h"
#include "libosp/patch/site_patcher.h"
#include "libosp/ptrace/stop.h"
#include "libosp/ptrace/tracer.h"
#include "libosp/signal/deliver.h"

namespace osp::ptrace {
namespace {

using task::Process;
using task::Thread;

bool is_seized(const Thread& thread) { return slot_of(thread).seized != 0; }

siginfo_t sent_by(int signo, int code, int pid, uint32_t uid) {
  siginfo_t info = signal::make_info(signo, code);
  info.si_pid = pid, info.si_uid = uid;
  return info;
}

// A signal that the tracer puts in another's place comes from it.
siginfo_t from_tracer(const Thread& thread, int signo) {
  return sent_by(signo, SI_USER, is_traced(thread) ? slot_of(thread).tracer.load() : 0, 0);
}

// The host drops what the program ignores, but a tracer sees it.
void mirror_ignored(Process& p) {
  for (int signo = 1; signo <= signal::last_signal; ++signo)
    if (p.signals.actions[static_cast<size_t>(signo)].handler == 1 && signo != SIGKILL && signo != SIGSTOP)
      signal::mirror(p, signo);
}

void show_executable(Process& p) {
  Slot* first = find_slot(p.host_pid);
  if (first == nullptr) return;
  first->listed = 1;
  auto& to = body_of(*first).executable;
  const std::string path = p.program.where();
  const size_t size = std::min(path.size(), to.size() - 1);
  std::memcpy(to.data(), path.data(), size);
  to[size] = '\0';
}

void take_mail(Thread& thread) {
  Slot& slot = slot_of(thread);
  signal::Mask mail = slot.mail.exchange(0);
  for (int signo = 1; mail != 0; ++signo, mail >>= 1)
    if ((mail & 1) != 0) thread.process.send(thread, sent_by(signo, SI_TKILL, slot.mail_pid, slot.mail_uid));
}

void take_wants(Thread& thread) {
  const Tracee& tracee = *tracee_of(thread);
  take_mail(thread);
  if (tracee.stopped) return thread.process.scheduler.wake(thread, task::Wake::woken);
  if (tracee.slot->wanted != 0) thread.process.send(thread, trap_request());
}

// One that is let go waits for its order still.
bool is_held(const Thread& thread) {
  const Tracee* tracee = tracee_of(thread);
  return tracee != nullptr && (tracee->stopped || tracee->slot->tracer != 0);
}

// Of the tracees: SIGCHLD, as do_notify_parent_cldstop() in kernel/signal.c makes it.
void take_news(Process& p) {
  for_each_slot([&](Slot& slot) {
    if (slot.tracer != p.host_pid) return;
    here().traces = true;
    if (slot.news.exchange(0) == 0) return;
    const int status = slot.report;
    siginfo_t info = signal::make_info(SIGCHLD, WIFSTOPPED(status)    ? CLD_TRAPPED
                                                : WIFSIGNALED(status) ? CLD_KILLED
                                                                      : CLD_EXITED);
    info.si_pid = slot.tid;
    info.si_status = WIFEXITED(status) ? WEXITSTATUS(status) : WIFSTOPPED(status) ? WSTOPSIG(status) & 0x7f : status;
    p.send(info);
  });
}

void stop_as_wanted(Thread& thread) {
  if (!is_traced(thread)) return;
  const uint32_t wanted = slot_of(thread).wanted.exchange(0);
  if ((wanted & wants_group) != 0) {
    const int signo = body_of(slot_of(thread)).group_signal;
    stop(thread, {.kind = Stop::group, .code = is_seized(thread) ? signo | PTRACE_EVENT_STOP << 8 : signo});
  } else if ((wanted & wants_trap) != 0) {
    stop(thread, {.kind = Stop::event, .code = SIGTRAP | PTRACE_EVENT_STOP << 8});
  }
}

}  // namespace

bool begin_tracing(Process& p) {
  const bool already = std::exchange(here().traced, true);
  for (const auto& thread : p.threads) {
    if (tracee_of(*thread) != nullptr || add_tracee(*thread, take_slot(p.host_pid, id_of(*thread)))) continue;
    here().traced = already;
    return false;
  }
  if (already) return true;
  p.patcher->suspend();
  mirror_ignored(p);
  show_executable(p);
  return true;
}

void end_tracing(Process& p) {
  if (!here().traced || std::ranges::any_of(p.threads, [](const auto& t) { return is_held(*t); })) return;
  for (const auto& thread : p.threads) {
    if (const Tracee* tracee = tracee_of(*thread)) free_slot(*tracee->slot);
    thread->signals.pending.remove(signal::bit(SIGKILL));  // trap_request()
  }
  here().traced = false;
  forget_tracees();
  p.patcher->resume();
  mirror_ignored(p);
}

void look(Process& p) {
  if (!is_used()) return;
  const Slot* first = find_slot(p.host_pid);
  if (first != nullptr && !here().traced && first->tracer != 0) begin_tracing(p);
  for (const auto& thread : p.threads)
    if (tracee_of(*thread) != nullptr) take_wants(*thread);
  end_tracing(p);
  take_news(p);
}

bool is_stopped(const Process& p) {
  return here().traced && std::ranges::any_of(p.threads, [](const auto& t) {
           const Tracee* tracee = tracee_of(*t);
           return tracee != nullptr && tracee->stopped;
         });
}

long trace_me(Thread& thread) {
  Process& p = thread.process;
  const int parent = static_cast<int>(raw::call(SYS_getppid));
  if (is_traced(thread) || !shares_table(parent)) return -EPERM;
  if (!begin_tracing(p)) return -ENOMEM;
  slot_of(thread).tracer = parent;
  poke(parent);
  return 0;
}

bool signal_stop(Thread& thread, siginfo_t& info) {
  if (is_trap_request(info)) {
    stop_as_wanted(thread);
    return false;
  }
  if (!is_traced(thread) || info.si_signo == SIGKILL) return true;
  const int signo = stop(thread, {.kind = Stop::signal, .code = info.si_signo, .info = &info});
  if (signo == 0 || thread.exiting) return false;
  if (signo != info.si_signo) info = from_tracer(thread, signo);
  if ((thread.signals.mask & signal::bit(signo)) == 0) return true;
  thread.signals.pending.add(info);
  return false;
}

bool group_stop(Thread& thread, int signo) {
  if (!is_traced(thread)) return false;
  for (const auto& other : thread.process.threads) {
    if (!is_traced(*other)) continue;
    body_of(slot_of(*other)).group_signal = signo;
    slot_of(*other).wanted |= wants_group;
    if (other.get() != &thread) take_wants(*other);
  }
  stop_as_wanted(thread);
  return true;
}

void group_goes_on(Process& p) {
  for (const auto& thread : p.threads) {
    if (!is_traced(*thread)) continue;
    slot_of(*thread).wanted &= ~uint32_t{wants_group};
    slot_of(*thread).was_stopped = 0;
    if (slot_of(*thread).phase != Phase::listening) continue;
    slot_of(*thread).wanted |= wants_trap;
    p.scheduler.wake(*thread, task::Wake::woken);
  }
}

bool call_begins(Thread& thread) {
  if (!is_traced(thread)) return true;
  const Order order = body_of(slot_of(thread)).order;
  const bool emulated = order == Order::emulate || order == Order::emulate_step;
  if (order != Order::to_call && !emulated) return true;
  const int good = (slot_of(thread).options & PTRACE_O_TRACESYSGOOD) != 0 ? 0x80 : 0;
  const int signo = stop(thread, {.kind = Stop::call_entry, .code = SIGTRAP | good, .message = 1});
  if (signo != 0) thread.process.send(thread, from_tracer(thread, signo));
  return !emulated && static_cast<long>(thread.regs.orig_rax) != -1;
}

void call_ends(Thread& thread) {
  if (!is_traced(thread) || thread.exiting || body_of(slot_of(thread)).order != Order::to_call) return;
  const int good = (slot_of(thread).options & PTRACE_O_TRACESYSGOOD) != 0 ? 0x80 : 0;
  const int signo = stop(thread, {.kind = Stop::call_exit, .code = SIGTRAP | good, .message = 2});
  if (signo != 0) thread.process.send(thread, from_tracer(thread, signo));
}

void executed(Thread& thread, int former_tid) {
  Process& p = thread.process;
  if (!here().traced) return;
  const int id = id_of(thread);
  if (Slot& slot = slot_of(thread); slot.tid != id) {
    if (Slot* first = find_slot(id); first != nullptr) free_slot(*first);
    slot.tid = id;
  }
  show_executable(p);
  body_of(slot_of(thread)).debug = {};
  set_stepping(thread, false, {});
  if (!is_traced(thread)) return;
  thread.regs.orig_rax = SYS_execve, thread.regs.kind = trap::Kind::syscall;
  if (stop_for_event(thread, PTRACE_EVENT_EXEC, static_cast<uint64_t>(former_tid))) return;
  if (!is_seized(thread)) thread.signals.pending.add(sent_by(SIGTRAP, SI_USER, id, 0));
}

void exits(Thread& thread, int status) {
  if (!thread.exiting) stop_for_event(thread, PTRACE_EVENT_EXIT, static_cast<uint64_t>(status));
}

void thread_ended(Thread& thread, int status) {
  const Tracee* tracee = tracee_of(thread);
  Slot* slot = tracee == nullptr ? nullptr : tracee->slot;
  remove_tracee(thread);
  if (slot == nullptr || slot->tid == slot->pid) return;  // a first thread's is the process's
  if (slot->tracer == 0) return free_slot(*slot);
  slot->phase = Phase::ended;
  report(*slot, status);
}

void process_ends(Process& p, int status) {
  if (here().traces) tracer_ends(p);
  if (!here().traced) return;
  Thread* current = p.scheduler.current();
  if (current != nullptr && &current->process == &p) exits(*current, status);
  const int parent = static_cast<int>(raw::call(SYS_getppid));
  for_each_slot([&](Slot& slot) {
    if (slot.pid != p.host_pid || slot.phase == Phase::ended) return;
    if (slot.tracer == 0) return free_slot(slot);
    const bool told_by_host = slot.tid == p.host_pid && slot.tracer == parent;
    slot.phase = told_by_host ? Phase::leaving : Phase::ended;
    if (!told_by_host) report(slot, status);
  });
}

}  // namespace osp::ptrace
