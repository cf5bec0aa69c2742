#include "libosp/task/process.h"

#include <sys/wait.h>

#include <algorithm>

#include "base/raw_syscall.h"
#include "libosp/file/files.h"
#include "libosp/file/keeper.h"
#include "libosp/file/names.h"
#include "libosp/host/host.h"
#include "libosp/patch/site_patcher.h"
#include "libosp/ptrace/tracee.h"
#include "libosp/ptrace/tracer.h"
#include "libosp/signal/held_back.h"
#include "libosp/task/fork.h"
#include "libosp/trap/raw_handler.h"
#include "libosp/trap/trace_mark.h"
#include "libosp/trap/vector.h"

namespace osp::task {
namespace {

constexpr int first_tid = 0x40'0000;  // above every pid of the host (PID_MAX_LIMIT)

Process* instance = nullptr;

}  // namespace

std::string Program::where() const { return path.empty() ? file::host_path_of(file) : path; }

Process& process() { return *instance; }
void set_process(Process* p) { instance = p; }

Thread::Thread(Process& owner, int id) : process(owner), tid(id) { regs.vector = trap::vector::make_area(); }
Thread::~Thread() { trap::vector::release(regs.vector); }

Process::Process() = default;
Process::~Process() = default;

Thread* Process::find_thread(int tid) {
  const auto found = std::find_if(threads.begin(), threads.end(), [tid](const auto& t) { return t->tid == tid; });
  return found == threads.end() ? nullptr : found->get();
}

// Unique in the machine while fewer than 64 threads are made a process: robust and PI futexes in memory
// shared by processes hold tids (30 bits).
int Process::new_tid() {
  do {
    next_tid_ = next_tid_ + 1;
  } while (find_thread(first_tid + (host_pid << 6) % (1 << 29) + next_tid_) != nullptr);
  return first_tid + (host_pid << 6) % (1 << 29) + next_tid_;
}

// What a call has brought upon the thread that made it (write(2), setrlimit(2)): the host sends it in the process's
// name.
bool Process::is_of_own_call(const siginfo_t& info) const {
  const bool is_of_call = info.si_signo == SIGPIPE || info.si_signo == SIGXFSZ;
  return is_of_call && info.si_code == SI_USER && info.si_pid == host_pid;
}

void Process::collect_pending() {
  trap::Worker& worker = trap::worker();
  worker.pending = 0;
  for (Worker* each : workers().all()) {  // what came to another worker first may be older
    trap::SignalRing& ring = each->ring;
    while (ring.tail != ring.head) {
      const siginfo_t info = ring.items[ring.tail % trap::signal_ring_size];
      ring.tail = ring.tail + 1;
      if (each->current != nullptr && is_of_own_call(info)) {
        send(*each->current, info);
        continue;
      }
      const bool waits = (signals.pending.set() & signal::bit(info.si_signo)) != 0;
      send(info);
      if (waits) signal::hold_back(info);
    }
  }
  if (trap::took_trace_mark()) ptrace::look(*this);
  if (trap::some_held_back) signal::take_more(*this);
  if (worker.control != 0) request_stop(std::exchange(worker.control, 0));
  if (stop_requested()) worker.pending = 1;  // no call may block any more
}

signal::Mask Process::takes(const Thread& thread) const {
  const Thread& first = *threads.front();
  if (&thread == &first || first.tid != pid || first.exiting) return ~thread.signals.mask;
  signal::Mask others = ~signal::Mask{0};
  for (int signo = 1; signo <= signal::last_signal; ++signo)
    if (signals.actions[static_cast<size_t>(signo)].handler > 1) others &= ~signal::bit(signo);
  return (others | first.signals.mask) & ~thread.signals.mask;
}

bool Process::has_effect(signal::Mask ready) const {
  if (ptrace::here().traced) return true;  // the tracer sees it
  for (int signo = 1; ready != 0 && signo <= signal::last_signal; ++signo) {
    if ((ready & signal::bit(signo)) == 0) continue;
    if (!signals.ignored(signo)) return true;
    ready &= ~signal::bit(signo);
  }
  return false;
}

Wake Process::await_child(Thread& thread, uint64_t seen) {
  if (signal_waits(thread)) return Wake::signal;
  if (child_changes_ != seen) return Wake::woken;
  child_waiters_.push_back(&thread);
  const Wake why = scheduler.park_now(thread, 0, true);
  std::erase(child_waiters_, &thread);
  return why;
}

void Process::request_stop(uint64_t reason) {
  if (serve_stop == nullptr || stop_requested() || ptrace::is_stopped(*this)) return;
  stop_reason_ = reason;
  for (const auto& thread : threads) scheduler.interrupt(*thread);
}

void Process::stop_at_edge(Thread& thread) {
  const auto is_stopped = [&](const auto& t) { return t->stopped || t.get() == stopper_; };
  thread.stopped = stopper_ != nullptr;
  while (thread.stopped && stop_requested() && !thread.exiting) scheduler.yield_and_look(thread);
  if (std::exchange(thread.stopped, false) || thread.exiting) return;
  stopper_ = &thread;
  while (!thread.exiting && !std::all_of(threads.begin(), threads.end(), is_stopped)) scheduler.yield_and_look(thread);
  if (!thread.exiting) {
    serve_stop(thread, stop_reason_);
    stop_reason_ = 0;
  }
  stopper_ = nullptr;
}

void Process::after_fork() {
  stop_reason_ = 0;
  stopper_ = nullptr;
  child_waiters_.clear();
  files->after_fork();
}

void Process::send(const siginfo_t& info) {
  if (info.si_signo == SIGCHLD) {
    ++child_changes_;
    for (Thread* waiter : child_waiters_) scheduler.wake(*waiter, Wake::woken);
    ptrace::wake_waiters();
  }
  if (info.si_signo == SIGCONT && ptrace::here().traced) ptrace::group_goes_on(*this);
  const signal::Mask bit = signal::bit(info.si_signo);
  const auto blocks = [bit](const auto& t) { return (t->signals.mask & bit) != 0; };
  const bool blocked_by_all = std::all_of(threads.begin(), threads.end(), blocks);
  if (!blocked_by_all && !ptrace::here().traced && signals.ignored(info.si_signo)) return;
  signals.pending.add(info);
  files->signal_arrived(info.si_signo);
  for (const auto& thread : threads) {
    if ((thread->signals.waiting_for & bit) == 0 && (takes(*thread) & bit) == 0) continue;
    if (thread->state == RunState::parked ? !thread->interruptible : thread->on == nullptr) continue;
    scheduler.interrupt(*thread);
    break;
  }
}

void Process::send(Thread& thread, const siginfo_t& info) {
  const signal::Mask bit = signal::bit(info.si_signo);
  const bool blocked = (thread.signals.mask & bit) != 0;
  if (!blocked && !ptrace::here().traced && signals.ignored(info.si_signo)) return;
  thread.signals.pending.add(info);
  files->signal_arrived(info.si_signo);
  if (!blocked || (thread.signals.waiting_for & bit) != 0) scheduler.interrupt(thread);
}

void Process::leave_all(int wait_status) {
  if (!std::exchange(ending, true)) exit_status = wait_status;
  for (const auto& thread : threads) {
    thread->exiting = true;
    scheduler.interrupt(*thread);
  }
}

void Process::end(int wait_status) {
  if (environment != nullptr) {
    leave_all(wait_status);
    throw Left{};
  }
  ptrace::process_ends(*this, wait_status);
  release_vfork_parent();
  files->close_all();
  keeper::end();
  if (WIFSIGNALED(wait_status)) {
    const int signo = WTERMSIG(wait_status);
    const signal::Mask none = 0;
    trap::install_disposition(signo, false);
    raw::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, 0, 8);
    raw::syscall(SYS_kill, raw::getpid(), signo);
  }
  host::end(WEXITSTATUS(wait_status));
}

void Process::stop_others(Thread& survivor) {
  for (const auto& thread : threads) {
    if (thread.get() == &survivor) continue;
    thread->exiting = true;
    scheduler.interrupt(*thread);
  }
  while (threads.size() > 1) scheduler.yield_and_look(survivor);
}

void Process::remove(Thread& thread) {
  const bool last = threads.size() == 1;
  if (last && environment == nullptr) end(exit_status);
  scheduler.unbind(thread);
  std::erase_if(threads, [&thread](const auto& t) { return t.get() == &thread; });
  if (last) environment->ended(*this, exit_status);
}

}  // namespace osp::task
