#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libosp/memory/address_space.h"
#include "libosp/memory/space.h"
#include "libosp/signal/state.h"
#include "libosp/task/credentials.h"
#include "libosp/task/environment.h"
#include "libosp/task/futex.h"
#include "libosp/task/limits.h"
#include "libosp/task/scheduler.h"
#include "libosp/task/thread.h"
#include "libosp/task/timers.h"

namespace osp::patch {
class SitePatcher;
}
namespace osp::file {
class Files;
class Names;
}  // namespace osp::file

namespace osp::task {

// What the program was started as; replaced by execve.
struct Program {
  std::string path;  // in the name space, absolute; empty: the host knows it
  int file = -1;     // then: a core's fd
  // What /proc/self/exe shows now.
  [[nodiscard]] std::string where() const;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
  std::vector<uint64_t> auxv;
  uintptr_t vdso = 0;
  uintptr_t arguments_start = 0, arguments_end = 0, environment_end = 0;  // in the program's memory
};

// A process: everything of it but its registers. Hosted there is one to a host process; natively all processes of the
// environment are in one core.
class Process {
 public:
  Process();
  ~Process();

  int pid = 0;  // as the program sees it; the host's, but after a restore
  int host_pid = 0;
  int parent = 0;                        // natively
  bool held = false;                     // natively: its threads stay at the program's edge (Environment::stay)
  Thread* vforking = nullptr;            // only it may run the program: a child has its memory (fork.cc)
  std::shared_ptr<memory::Space> space;  // natively; two processes have the same between vfork and exec
  Environment* environment = nullptr;    // natively
  Credentials credentials;               // natively
  Limits limits = {};                    // natively
  Program program;
  memory::AddressSpace memory;
  signal::ProcessSignals signals;
  Scheduler& scheduler = task::scheduler();
  Futexes futexes;
  std::vector<std::unique_ptr<Thread>> threads;
  std::unique_ptr<patch::SitePatcher> patcher;
  std::unique_ptr<file::Files> files;
  std::unique_ptr<file::Names> names;
  std::unique_ptr<Timers> timers;  // natively, when first asked for
  uint32_t umask = 022;
  int exit_status = 0;          // of exit_group, in wait(2)'s form
  uint64_t processor_ns = 0;    // natively: what it has run
  bool ending = false;          // natively: the status stands
  int64_t clock_offset_ns = 0;  // the program's CLOCK_MONOTONIC minus the host's; not 0 after a restore
  bool trace = false;
  bool had_threads = false;  // more than one: their clocks are the core's from then on

  [[nodiscard]] bool single_threaded() const { return threads.size() == 1; }
  // Whether a thread of it may block the worker in the host: nobody else runs on it.
  [[nodiscard]] bool owns_worker() const { return threads.size() == 1 && environment == nullptr; }
  Thread* find_thread(int tid);
  int new_tid();

  // Takes what the signal handler noted into the pending sets, and wakes threads that it concerns.
  void collect_signals() {
    if (trap::worker().pending != 0) collect_pending();  // mostly there is nothing
  }
  // Whether the thread must leave the call it is in for the program's edge: for a signal, a stop, or its end. Collects
  // first. A call that is left for a stop must be one that begins again: a Restart code, never EINTR.
  bool signal_waits(const Thread& thread) {
    collect_signals();
    return thread.exiting || stop_requested() || has_signal(thread);
  }
  // Which of the process's signals the thread may take. One with a handler is the first thread's, unless that has ended
  // or blocks it: programs rely on what Linux does here (complete_signal() in kernel/signal.c).
  [[nodiscard]] signal::Mask takes(const Thread& thread) const;
  // What is pending for the thread: its own, and of the process's what it takes. Nothing that it blocks.
  [[nodiscard]] signal::Mask deliverable(const Thread& thread) const {
    const signal::Mask shared = signals.pending.set();
    return (thread.signals.pending.set() & ~thread.signals.mask) | (shared == 0 ? 0 : shared & takes(thread));
  }
  // Whether a signal that has an effect is pending for the thread and not blocked.
  [[nodiscard]] bool has_signal(const Thread& thread) const {
    const signal::Mask ready = deliverable(thread);
    return ready != 0 && has_effect(ready);
  }
  void send(const siginfo_t& info);                  // to the process
  void send(Thread& thread, const siginfo_t& info);  // to one thread

  // Makes every thread come to the program's edge, where it stays until `serve_stop` has returned.
  void request_stop(uint64_t reason);
  [[nodiscard]] bool stop_requested() const { return stop_reason_ != 0; }
  // At the edge, with a stop requested: the first thread to come waits for the others and calls serve_stop.
  void stop_at_edge(Thread& thread);
  // Called with every thread stopped, and what the control signal carried. Null: nobody may stop us.
  void (*serve_stop)(Thread& thread, uint64_t reason) = nullptr;

  // How often a child has changed state, as far as signals have been collected; parks a thread until it is more than
  // `seen` (read before the children were looked at), or a signal comes for it.
  [[nodiscard]] uint64_t child_changes() const { return child_changes_; }
  Wake await_child(Thread& thread, uint64_t seen);
  // In a forked child: what must not be shared with the parent.
  void after_fork();

  // Ends the process with this wait status: the host's at once; natively by Left, which run_thread() catches, when the
  // calling thread and then the others have left.
  [[noreturn]] void end(int wait_status);
  struct Left {};
  // Natively: all threads leave at the program's edge.
  void leave_all(int wait_status);
  // Makes the other threads leave at the program's edge, and waits until they have. Other threads that
  // do the same meanwhile leave too.
  void stop_others(Thread& survivor);
  // Removes the thread (its fiber is about to end); ends the process with the last one.
  void remove(Thread& thread);

 private:
  void collect_pending();
  [[nodiscard]] bool is_of_own_call(const siginfo_t& info) const;
  [[nodiscard]] bool has_effect(signal::Mask ready) const;

  int next_tid_ = 0;
  uint64_t stop_reason_ = 0;
  Thread* stopper_ = nullptr;  // calls serve_stop
  std::vector<Thread*> child_waiters_;
  uint64_t child_changes_ = 0;
};

// Of the thread that runs, or ran last.
Process& process();
void set_process(Process* instance);

// The body of a thread's fiber: program and core in turn, until the thread ends.
void run_thread(Thread& thread);

}  // namespace osp::task
