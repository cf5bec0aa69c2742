#pragma once

#include "libosp/ptrace/tracee.h"

// The stop itself, for the files of this folder.
namespace osp::ptrace {

struct StopRequest {
  Stop kind = Stop::event;
  int code = SIGTRAP;         // the signal, and the event << 8
  siginfo_t* info = nullptr;  // may be changed; null: made of the code, but for a group stop, which has none
  uint64_t message = 0;
};
// What it was ordered to go on with: the signal, or 0. It is traced no more: as with 0.
int stop(task::Thread& thread, const StopRequest& request);

// An event of PTRACE_O_… for which the thread was to be stopped. True: it was.
bool stop_for_event(task::Thread& thread, int event, uint64_t message);

// The tid as the table has it.
int id_of(const task::Thread& thread);

// All threads of the process get slots, and its call sites are the program's again; and back.
bool begin_tracing(task::Process& process);
void end_tracing(task::Process& process);

// Of a thread that has one.
inline Slot& slot_of(const task::Thread& thread) { return *tracee_of(thread)->slot; }
// For a new thread, or one that becomes the first; false: the table is full.
bool add_tracee(task::Thread& thread, Slot* slot);
void remove_tracee(const task::Thread& thread);
void forget_tracees();
// The tracer is to ask.
void report(Slot& slot, int status);

}  // namespace osp::ptrace
