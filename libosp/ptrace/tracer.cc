#include "libosp/ptrace/tracer.h"

#include <linux/ptrace.h>
#include <sys/wait.h>

#include "base/raw_syscall.h"
#include "libosp/ptrace/stop.h"

namespace osp::ptrace {
namespace {

using task::Process;

bool is_gone(const Slot& slot) { return slot.phase == Phase::ended || slot.phase == Phase::leaving; }

// The slot of a thread that can be attached to; null with the reason in `error`.
Slot* slot_to_attach(const Process& tracer, int tid, long& error) {
  error = -ESRCH;
  if (Slot* slot = find_slot(tid); slot != nullptr && !is_gone(*slot)) return slot;
  if (tid <= 0 || raw::syscall(SYS_kill, tid, 0) == -ESRCH) return nullptr;
  error = -EPERM;
  if (tid == tracer.host_pid || !shares_table(tid)) return nullptr;
  error = -ENOMEM;
  return take_slot(tid, tid);
}

bool matches(const Slot& slot, int wanted) {
  if (wanted == -1) return true;
  if (wanted > 0) return slot.tid == wanted;
  const long group = wanted == 0 ? raw::syscall(SYS_getpgid, 0) : -wanted;
  return raw::syscall(SYS_getpgid, slot.pid.load()) == group;
}

std::vector<task::Thread*> waiters;  // in await_report()

template <class Condition>
void await(Condition&& condition) {
  constexpr int patience_ms = 2000;
  const timespec moment = {0, 1'000'000};
  for (int ms = 0; !condition() && ms < patience_ms; ++ms) raw::syscall(SYS_nanosleep, &moment, 0);
}

// The host has stopped it: it goes on there, and is stopped in the table when this returns, as ptrace(2) promises.
void take_over_stop(Slot& slot) {
  slot.was_stopped = 1;
  if (slot.seized != 0) {
    body_of(slot).group_signal = SIGSTOP;
    slot.wanted |= wants_group;
  }
  poke_stopped(slot.pid);
  await([&] { return slot.phase == Phase::stopped; });
}

}  // namespace

void wake_waiters() {
  for (task::Thread* waiter : waiters) waiter->process.scheduler.wake(*waiter, task::Wake::woken);
}

task::Wake await_report(task::Thread& thread, uint64_t seen, uint64_t deadline_ns) {
  if (thread.process.signal_waits(thread)) return task::Wake::signal;
  if (thread.process.child_changes() != seen) return task::Wake::woken;
  waiters.push_back(&thread);
  const task::Wake why = thread.process.scheduler.park_now(thread, deadline_ns, true);
  std::erase(waiters, &thread);
  return why;
}

Slot* tracee(const Process& tracer, int tid) {
  if (!is_used()) return nullptr;
  Slot* slot = find_slot(tid);
  return slot != nullptr && slot->tracer == tracer.host_pid ? slot : nullptr;
}

long attach(Process& tracer, int tid, bool seize, uint32_t options) {
  if (tracer.find_thread(tid) != nullptr) return -EPERM;
  long error = 0;
  Slot* slot = slot_to_attach(tracer, tid, error);
  if (slot == nullptr) return error;
  if (slot->pid == tracer.host_pid) return -EPERM;
  int nobody = 0;
  if (!slot->tracer.compare_exchange_strong(nobody, tracer.host_pid)) return -EPERM;
  slot->options = options, slot->seized = seize ? 1 : 0;
  if (!seize) {
    slot->mail_pid = tracer.host_pid;
    slot->mail |= signal::bit(SIGSTOP);
  }
  here().traces = true;
  if (!is_stopped_by_host(slot->pid)) {
    poke(slot->pid);
  } else {
    take_over_stop(*slot);
  }
  return 0;
}

void order(Slot& slot, Order order, int signo, bool detach) {
  Body& body = body_of(slot);
  body.order = order, body.signal = signo;
  slot.report = no_report;
  const int pid = slot.pid;
  const bool stops_again = detach && slot.was_stopped != 0;
  if (detach) {
    body.debug = {};
    slot.options = 0, slot.seized = 0, slot.wanted = 0;
    slot.tracer = 0;
  }
  slot.phase = Phase::resuming;
  poke(pid);
  if (stops_again) await([pid] { return is_stopped_by_host(pid) || !is_alive(pid); });  // before a SIGCONT comes
}

void tracer_ends(Process& tracer) {
  for_each_slot([&](Slot& slot) {
    if (slot.tracer != tracer.host_pid) return;
    if (is_gone(slot)) return free_slot(slot);
    if ((slot.options & PTRACE_O_EXITKILL) != 0) raw::syscall(SYS_kill, slot.pid.load(), SIGKILL);
    if (slot.phase == Phase::stopped || slot.phase == Phase::listening) return order(slot, Order::go_on, 0, true);
    slot.tracer = 0;
    poke(slot.pid);
  });
}

std::optional<Found> take_report(const Process& tracer, int wanted, bool keep) {
  std::optional<Found> found;
  for_each_slot([&](Slot& slot) {
    if (found || slot.tracer != tracer.host_pid || slot.report == no_report || !matches(slot, wanted)) return;
    found = Found{slot.tid, slot.report};
    if (keep) return;
    slot.report = no_report;
    if (slot.phase == Phase::ended) free_slot(slot);
  });
  return found;
}

bool has_tracees(const Process& tracer, int wanted) {
  bool has = false;
  for_each_slot([&](Slot& slot) { has = has || (slot.tracer == tracer.host_pid && matches(slot, wanted)); });
  return has;
}

bool is_leaving(const Process& tracer, int wanted) {
  bool is = false;
  for_each_slot([&](Slot& slot) {
    is = is || (slot.tracer == tracer.host_pid && slot.phase == Phase::leaving && matches(slot, wanted));
  });
  return is;
}

void forget_process(int pid, int status) {
  for_each_slot([&](Slot& slot) {
    if (slot.pid != pid) return;
    const bool untold = slot.tid != pid && slot.tracer != 0 && slot.phase != Phase::ended;
    if (slot.tid == pid || slot.tracer == 0) return free_slot(slot);
    if (!untold) return;
    slot.phase = Phase::ended;
    report(slot, status);
  });
}

void find_killed(const Process& tracer) {
  for_each_slot([&](Slot& slot) {
    if (slot.tracer != tracer.host_pid || is_gone(slot) || slot.pid < 0) return;
    if (is_alive(slot.pid)) return;
    siginfo_t child = {};
    const long own = raw::syscall(SYS_waitid, P_PID, slot.pid.load(), &child, WEXITED | WNOWAIT | WNOHANG | __WALL, 0);
    if (own == 0 && slot.tid == slot.pid) return;
    slot.phase = Phase::ended;
    report(slot, W_EXITCODE(0, SIGKILL));
  });
}

int process_of(int tid) {
  if (!is_used()) return tid;
  const Slot* slot = find_slot(tid);
  return slot != nullptr && slot->pid > 0 ? slot->pid.load() : tid;
}

std::optional<long> send(const Process& from, int tid, int signo, uint32_t uid) {
  if (!is_used()) return std::nullopt;
  Slot* slot = find_slot(tid);
  if (slot == nullptr || is_gone(*slot) || slot->pid == from.host_pid) return std::nullopt;
  const bool known_to_host = slot->tid == slot->pid;
  if (known_to_host && (signo != SIGSTOP || slot->tracer == 0)) return std::nullopt;
  if (signo == 0 || signo == SIGKILL) return raw::syscall(SYS_kill, slot->pid.load(), signo);
  slot->mail_pid = from.host_pid, slot->mail_uid = uid;
  slot->mail |= signal::bit(signo);
  return poke(slot->pid) ? 0 : -ESRCH;
}

}  // namespace osp::ptrace
