#include <sys/wait.h>

#include "base/log.h"
#include "base/raw_syscall.h"
#include "libosp/file/files.h"
#include "libosp/file/names.h"
#include "libosp/host/kernel_vdso.h"
#include "libosp/host/side.h"
#include "libosp/linux/table.h"
#include "libosp/patch/site_patcher.h"
#include "libosp/ptrace/tracee.h"
#include "libosp/signal/deliver.h"
#include "libosp/signal/held_back.h"
#include "libosp/task/core_lock.h"
#include "libosp/task/process.h"
#include "libosp/task/robust.h"
#include "libosp/task/vector_state.h"
#include "libosp/trap/fast.h"
#include "libosp/trap/raw_handler.h"

namespace osp::task {
namespace {

// A call that was interrupted by nothing the program can see begins again here, at once.
void serve(Thread& thread) {
  trap::UserRegs& r = thread.regs;
  thread.restarting = thread.rewound_rip != 0 && thread.rewound_rip == r.rip - 2;
  thread.rewound_rip = 0;
  if (!thread.restarting) thread.restart_deadline = 0;
  for (;;) {
    const long result = linux::call(thread);
    if (result == call_was_replaced) return;
    trap::worker().fast.interrupted = false;
    if (!is_restart(result)) {
      r.rax = static_cast<uint64_t>(result);
      return;
    }
    if (thread.exiting || thread.process.signal_waits(thread)) {
      thread.interrupted = result;
      return;
    }
    thread.restarting = true;
  }
}

void serve_call(Thread& thread) {
  if (!ptrace::here().traced) return serve(thread);
  if (ptrace::call_begins(thread)) serve(thread);
  ptrace::call_ends(thread);
  ptrace::call_stepped(thread);
}

// A call that begins again must be seen by serve_call, as must each that is traced or may not be allowed.
bool is_watched(const Thread& thread) {
  return thread.process.trace || ptrace::here().traced || thread.rewound_rip != 0 || thread.seccomp.mode != 0;
}

// Nothing of it changes but by calls and other threads, after which it is set anew.
void set_native_state(trap::FastState& fast, const Thread& thread) {
  const Process& p = thread.process;
  fast.calls = trap::fast_calls(is_watched(thread) ? trap::Fast::none : trap::Fast::natively);
  fast.parent = static_cast<uint32_t>(p.parent);
  fast.uid = p.credentials.uid, fast.euid = p.credentials.euid;
  fast.gid = p.credentials.gid, fast.egid = p.credentials.egid;
}

void set_hosted_state(trap::FastState& fast, const Thread& thread) {
  const Process& p = thread.process;
  const auto forwarded = p.single_threaded() ? trap::Fast::alone : trap::Fast::never_blocking;
  const auto whole = signal::is_mask_shown(thread) ? forwarded : trap::Fast::without_host;
  fast.calls = trap::fast_calls(is_watched(thread) ? trap::Fast::none : whole);
  const auto& marks = p.files->marks();
  fast.marks = marks.data(), fast.mark_count = marks.size();
  fast.host_names = p.names->only_host() && !p.files->remembers_directories();
  fast.core_fds_from = static_cast<uint32_t>(file::lowest_core_fd());
}

void set_fast_state(trap::Worker& worker, const Thread& thread) {
  trap::FastState& fast = worker.fast;
  fast.pid = thread.process.pid, fast.tid = thread.tid;
  fast.futexes = &thread.process.futexes.waiting();
  fast.clock_offset_ns = thread.process.clock_offset_ns;
  fast.host_clock = worker.clock_refused == 0 ? host::kernel_clock() : nullptr;
  if (host::is_native()) {
    set_native_state(fast, thread);
  } else {
    set_hosted_state(fast, thread);
  }
}

// As Linux does it to the process that it chooses; here it is the one that found none.
void kill_for_memory(Thread& thread) {
  log::error("memory", "process {} ({}) is killed: the machine has no memory left; give it more (osp-boot --memory)",
             thread.process.pid, thread.name.data());
  thread.process.leave_all(W_EXITCODE(0, SIGKILL));
}

// The program runs without the core lock.
void resume_program() {
  Worker& self = this_worker();
  self.away.store(Worker::Away::in_program, std::memory_order_release);
  core_lock().unlock();
  osp_resume();
  self.away.store(Worker::Away::no, std::memory_order_release);
  core_lock().lock();
  Workers::run_errands(self);
}

void enter_program(Thread& thread) {
  trap::Worker& worker = trap::worker();
  if (trap::some_held_back) signal::take_more(thread.process);
  load_vector_state(thread);
  worker.regs = &thread.regs;
  set_fast_state(worker, thread);
  thread.process.scheduler.set_current(thread);
  const uint64_t caught = worker.caught;
  if (ptrace::is_stepping(thread)) ptrace::begin_step(thread);
  resume_program();
  if (ptrace::is_stepping(thread)) ptrace::end_step(thread);
  switch (thread.regs.kind) {
    case trap::Kind::syscall:
      if (worker.caught != caught) thread.process.patcher->caught(thread.regs.rip);
      serve_call(thread);
      if (trap::took_no_memory()) kill_for_memory(thread);
      break;
    case trap::Kind::fault:
      if (trap::took_no_memory()) return kill_for_memory(thread);
      thread.regs.rip = thread.process.patcher->original_rip(thread.regs.rip);
      if (!ptrace::is_stepping(thread) || !ptrace::is_own_step(thread, worker.fault))
        signal::force(thread, worker.fault);
      break;
    case trap::Kind::interrupt:
      thread.regs.rip = thread.process.patcher->original_rip(thread.regs.rip);
      break;
    case trap::Kind::none:
      break;
  }
}

void leave(Thread& thread) {
  release_robust_list(thread);
  if (thread.clear_child_tid != 0 && !thread.process.single_threaded()) {
    const int zero = 0;
    auto* word = reinterpret_cast<uint32_t*>(thread.clear_child_tid);
    if (osp_user_copy(word, &zero, sizeof zero) == 0) futex_word(thread.process, thread.clear_child_tid).wake(~0U, 1);
  }
  drop_vector_state(thread);
  if (ptrace::here().traced && !thread.process.single_threaded())
    ptrace::thread_ended(thread, thread.process.exit_status);
  thread.process.remove(thread);
}

void run_until_it_leaves(Thread& thread) {
  while (!thread.exiting) {
    Process& p = thread.process;
    p.collect_signals();
    p.scheduler.slice(thread);
    if (thread.exiting) break;
    if (p.deliverable(thread) != 0 || thread.interrupted != 0 || thread.signals.saved_mask) signal::deliver(thread);
    if (p.held && p.environment->stay(thread)) continue;
    if (p.stop_requested()) {
      p.stop_at_edge(thread);
    } else if (p.vforking != nullptr && p.vforking != &thread) {
      p.scheduler.yield_and_look(thread);
    } else {
      enter_program(thread);
    }
  }
}

}  // namespace

void run_thread(Thread& thread) {
  try {
    run_until_it_leaves(thread);
  } catch (const Process::Left&) {
  }
  leave(thread);
}

}  // namespace osp::task
