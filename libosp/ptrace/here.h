#pragma once

#include <csignal>
#include <cstdint>
#include <memory>

namespace osp::task {
class Process;
struct Thread;
}  // namespace osp::task

// What this process has to do with tracing, for those who only want to know whether it has.
namespace osp::ptrace {

struct Slot;
struct Watch;

struct Here {
  bool traced = false;  // a thread of ours has a tracer: we are not patched, and all calls go through the core
  bool traces = false;  // we have had tracees
};
Here& here();

// What is kept for a thread of ours while we are traced.
struct Tracee {
  Slot* slot = nullptr;          // its place in the table, which need have no tracer
  bool stopped = false;          // waits for the tracer's order
  bool single_step = false;      // one instruction or call, and then SIGTRAP
  bool stepping = false;         // the trap flag is set: by single_step, or for what is watched
  std::unique_ptr<Watch> watch;  // its debug registers; null: not in use
  Tracee();
  ~Tracee();
};
// Null: we are not traced.
Tracee* find_tracee(const task::Thread& thread);
inline Tracee* tracee_of(const task::Thread& thread) { return here().traced ? find_tracee(thread) : nullptr; }

inline bool is_stepping(const task::Thread& thread) {
  const Tracee* tracee = tracee_of(thread);
  return tracee != nullptr && tracee->stepping;
}

// The trace mark came: takes what tracers ask of us, and as a tracer what has become of tracees. Does not park.
void look(task::Process& process);

// A stop that is asked for waits as a signal does, and is taken as one: as SIGKILL, which goes by the host and is never
// in our pending sets.
siginfo_t trap_request();
bool is_trap_request(const siginfo_t& info);

}  // namespace osp::ptrace
