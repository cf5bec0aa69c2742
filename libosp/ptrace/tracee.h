#pragma once

#include <signal.h>

#include "libosp/ptrace/here.h"
#include "libosp/ptrace/table.h"
#include "libosp/task/process.h"

// What the core of a traced process does at the program's edge (ptrace(2), "Stopped states"). All of these may park the
// calling thread, which is the one that they are about, until its tracer lets it go on; after that anything may have
// changed, its registers too. Where the thread is not traced they do nothing.
namespace osp::ptrace {

inline bool is_traced(const task::Thread& thread) {
  const Tracee* tracee = tracee_of(thread);
  return tracee != nullptr && tracee->slot->tracer != 0;
}

// Whether a tracer has stopped one of its threads, which goes nowhere until it is told to.
bool is_stopped(const task::Process& process);

// PTRACE_TRACEME. EPERM: it is traced already, or the parent is not of this environment.
long trace_me(task::Thread& thread);

// Of a signal about to be acted on, or the request of a stop. False: the tracer has taken it, and nothing is to be
// done.
bool signal_stop(task::Thread& thread, siginfo_t& info);
// Instead of stopping the process by this signal. False: not traced, stop it otherwise.
bool group_stop(task::Thread& thread, int signo);
// SIGCONT was sent.
void group_goes_on(task::Process& process);

// Around a system call. False: it is not to be made; rax has its result.
bool call_begins(task::Thread& thread);
void call_ends(task::Thread& thread);

// The calling thread is about to make a process (clone(2) flags), and has: `child` or minus an errno. The second must
// be called after the first. In the child, when it is a process of its own.
void before_fork(task::Thread& thread, uint64_t flags, bool vfork);
void forked(task::Thread& thread, long child);
void vfork_done(task::Thread& thread, int child);
void after_fork(task::Thread& thread);

// A thread has been made, which has not run yet.
void made_thread(task::Thread& parent, task::Thread& made);
// execve has replaced the program.
void executed(task::Thread& thread, int former_tid);
// Before an end; the status is wait(2)'s.
void exits(task::Thread& thread, int status);
void thread_ended(task::Thread& thread, int status);
void process_ends(task::Process& process, int status);

// Single steps and debug registers (stepping.cc), where is_stepping(): around the way to the program.
void begin_step(task::Thread& thread);
void end_step(task::Thread& thread);
// A call that was stepped over has been served.
void call_stepped(task::Thread& thread);
// Whether the fault was a step that nobody is to see.
bool is_own_step(task::Thread& thread, siginfo_t& fault);
// A handler has been entered.
void handler_entered(task::Thread& thread);
// The tracer has ordered it, or written debug registers.
void set_stepping(task::Thread& thread, bool single, const std::array<uint64_t, debug_registers>& debug);

}  // namespace osp::ptrace
