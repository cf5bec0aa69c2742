// How tracees come of tracees: PTRACE_O_TRACEFORK, TRACEVFORK, TRACECLONE.
#include <linux/ptrace.h>
#include <sched.h>
#include <signal.h>

#include "base/raw_syscall.h"
#include "libosp/patch/site_patcher.h"
#include "libosp/ptrace/stop.h"
#include "libosp/signal/deliver.h"

namespace osp::ptrace {
namespace {

using task::Process;
using task::Thread;

// Between before_fork() and what follows it, in the thread that makes the process and in its child. No other thread
// runs meanwhile.
struct Birth {
  int event = 0;  // 0: nobody is to know
  Slot* slot = nullptr;
};
[[gnu::section(".hot_data")]] Birth birth;

// Which event tells of it (kernel_clone() in kernel/fork.c).
int event_of(uint64_t flags, bool vfork) {
  if ((flags & CLONE_UNTRACED) != 0) return 0;
  if (vfork) return PTRACE_EVENT_VFORK;
  const uint64_t told_by = flags & CSIGNAL;
  return told_by == 0 || told_by == SIGCHLD ? PTRACE_EVENT_FORK : PTRACE_EVENT_CLONE;
}

// What the child has of its parent, and the stop that it begins with.
void inherit(Slot& child, const Slot& parent) {
  child.options = parent.options.load();
  child.seized = parent.seized.load();
  child.tracer = parent.tracer.load();
}

void begin_stopped(Thread& thread) {
  if (slot_of(thread).seized != 0) {
    slot_of(thread).wanted |= wants_trap;
    thread.process.send(thread, trap_request());
  } else {
    siginfo_t info = signal::make_info(SIGSTOP, SI_USER);
    info.si_pid = id_of(thread);
    thread.signals.pending.add(info);
  }
}

}  // namespace

void before_fork(Thread& thread, uint64_t flags, bool vfork) {
  prepare_table();
  birth = {};
  if (!is_traced(thread)) return;
  const int event = event_of(flags, vfork);
  if (event == 0 || (slot_of(thread).options & (1U << event)) == 0) return;
  birth.event = event;
  birth.slot = take_slot(thread.process.host_pid, -thread.process.host_pid);  // its number is not known yet
}

void forked(Thread& thread, long child) {
  if (birth.slot == nullptr) return;
  const int event = birth.event;
  if (child < 0) {
    free_slot(*birth.slot);
    birth = {};
    return;
  }
  // The child does the same, and may be gone already.
  int unnamed = -thread.process.host_pid;
  if (birth.slot->tid.compare_exchange_strong(unnamed, static_cast<int>(child))) {
    birth.slot->pid = static_cast<int>(child);
    inherit(*birth.slot, slot_of(thread));
  }
  birth = {};
  stop_for_event(thread, event, static_cast<uint64_t>(child));
}

void vfork_done(Thread& thread, int child) {
  stop_for_event(thread, PTRACE_EVENT_VFORK_DONE, static_cast<uint64_t>(child));
}

void after_fork(Thread& thread) {
  Process& p = thread.process;
  here().traces = false;
  if (!here().traced) return;
  const Slot& parent = slot_of(thread);
  here().traced = false;
  forget_tracees();
  if (birth.slot == nullptr) return p.patcher->resume();
  birth.slot->pid = p.host_pid, birth.slot->tid = p.host_pid;
  inherit(*birth.slot, parent);
  birth = {};
  begin_tracing(p);
  begin_stopped(thread);
}

void made_thread(Thread& parent, Thread& made) {
  Process& p = parent.process;
  if (!here().traced || !add_tracee(made, take_slot(p.host_pid, made.tid)) || !is_traced(parent)) return;
  if ((slot_of(parent).options & (1U << PTRACE_EVENT_CLONE)) == 0) return;
  const int tid = made.tid;
  inherit(slot_of(made), slot_of(parent));
  begin_stopped(made);
  stop_for_event(parent, PTRACE_EVENT_CLONE, static_cast<uint64_t>(tid));
}

}  // namespace osp::ptrace
