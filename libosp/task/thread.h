#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "libosp/seccomp/state.h"
#include "libosp/signal/state.h"
#include "libosp/task/schedule.h"
#include "libosp/trap/frame.h"

namespace boost::fibers {
class context;
}

namespace osp::task {

class Process;
struct Worker;
using ProcessorSet = std::vector<uint64_t>;  // worker.h

// What a system call returns when it was interrupted and may start again; never seen by the program.
// Linux's numbers (include/linux/errno.h), with its meanings.
enum Restart : long {
  restart_sys = -512,        // start again if the handler has SA_RESTART, else EINTR
  restart_always = -513,     // start again: nothing of it was done
  restart_nohand = -514,     // EINTR if a handler ran, else start again
  restart_block = -516,      // the same, keeping restart_deadline
  call_was_replaced = -517,  // registers were set by the call itself (execve, rt_sigreturn)
};

inline bool is_restart(long result) {
  return result == restart_sys || result == restart_always || result == restart_nohand || result == restart_block;
}

enum class Wake { none, woken, timeout, signal };
enum class RunState { running, ready, parking, parked };

// A thread of the program: its registers and what the kernel would keep for it. Its fiber runs
// task::run_thread().
struct Thread {
  explicit Thread(Process& owner, int id);
  ~Thread();
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  trap::UserRegs regs;
  Process& process;
  int tid;
  signal::ThreadSignals signals;
  std::array<char, 16> name = {};  // prctl(PR_SET_NAME)

  uint64_t clear_child_tid = 0;  // set_tid_address(2)
  uint64_t robust_list = 0;
  uint64_t robust_list_size = 0;

  uint64_t restart_deadline = 0;  // absolute, CLOCK_MONOTONIC ns of the program; 0: none
  bool restarting = false;        // the call that is handled was begun before
  long interrupted = 0;           // the Restart code of the call that ended, until signals are delivered
  uint64_t rewound_rip = 0;       // the syscall instruction that will begin the interrupted call again
  bool meets_files = false;       // in a call that begins with an fd, maybe a terminal's
  bool goes_on = false;           // the last time that it had woken another, it ran on while that one waited
  bool exiting = false;           // leaves at the program's edge (exec or exit of another thread)

  bool stopped = false;  // stays at the program's edge (Process::stop_at_edge)

  // Where its fiber was left, for a crash report.
  struct Place {
    uint64_t ip = 0, sp = 0, bp = 0;
  } switched_at;

  std::shared_ptr<const ProcessorSet> processors;  // sched_setaffinity(2); null: as the process was begun
  SchedulePointer schedule;                        // sched_setattr(2)

  // The scheduler's.
  boost::fibers::context* context = nullptr;
  RunState state = RunState::ready;
  Worker* on = nullptr;       // where it runs
  Worker* last_on = nullptr;  // which ran it last, on a processor that may be free for it again
  uint64_t ran_ns = 0;        // until it was left last
  uint64_t since_ns = 0;      // when it began to run
  Wake wake = Wake::none;
  uint64_t due_ns = 0;         // of SCHED_DEADLINE: when its present job shall be done
  bool is_put_off = false;     // a higher rank took its place: it stays the first of its own
  bool interruptible = false;  // parked so that a signal wakes it

  seccomp::State seccomp;
};

}  // namespace osp::task
