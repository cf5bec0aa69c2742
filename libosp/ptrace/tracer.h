#pragma once

#include <signal.h>

#include <optional>

#include "libosp/ptrace/table.h"
#include "libosp/task/process.h"

// The tracer's side. Only await_report() parks.
namespace osp::ptrace {

// PTRACE_ATTACH and PTRACE_SEIZE. ESRCH; EPERM: it is traced already, our own, not ours to trace, or not of this
// environment.
long attach(task::Process& tracer, int tid, bool seize, uint32_t options);
// A tracee of the process's; null: it has none of that number.
Slot* tracee(const task::Process& tracer, int tid);
// Lets a stopped tracee go on; with `detach`, for good.
void order(Slot& slot, Order order, int signo, bool detach);
// The process ends: its tracees are let go, or killed (PTRACE_O_EXITKILL).
void tracer_ends(task::Process& tracer);

// What wait(2) may be told of.
struct Found {
  int tid = 0;
  int status = 0;
};
// By the number that wait4(2) takes. `keep`: WNOWAIT.
std::optional<Found> take_report(const task::Process& tracer, int wanted, bool keep);
bool has_tracees(const task::Process& tracer, int wanted);
// Whether one of them ends just now, of which the host will tell.
bool is_leaving(const task::Process& tracer, int wanted);
// The host has told of its end.
void forget_process(int pid, int status);
// Tracees that were killed and are not our children: nobody else tells of them.
void find_killed(const task::Process& tracer);

// As Process::await_child(), with a deadline as Scheduler::park() has it: parks.
task::Wake await_report(task::Thread& thread, uint64_t seen, uint64_t deadline_ns);
// SIGCHLD came.
void wake_waiters();

// The process that a traced thread is of, for calls that take the host's ids; any other number is given back.
int process_of(int tid);
// A signal for a traced thread that the host would not deliver to it as meant: SIGSTOP, or one to a thread that the
// host does not know. Nothing: send it by the host.
std::optional<long> send(const task::Process& from, int tid, int signo, uint32_t uid);

}  // namespace osp::ptrace
