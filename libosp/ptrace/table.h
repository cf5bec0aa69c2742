#pragma once

#include <signal.h>
#include <sys/user.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

// Where tracers and tracees meet: memory that all processes of the environment share, at one place. Ids are the host's,
// but for the tids of threads that are not the first of their process.
namespace osp::ptrace {

enum class Phase : uint32_t {
  unused,
  running,    // the tracee's
  stopped,    // the tracer's: it may read and write the body
  resuming,   // ordered to go on; the tracee has not seen it yet
  listening,  // PTRACE_LISTEN: stopped, and only told of what comes next
  ended,      // gone; the slot is the tracer's until its wait(2) has seen `report`
  leaving,    // the same of a child of the tracer's own, which the host tells
};

enum class Order : uint32_t { go_on, to_call, emulate, step, emulate_step, listen };

// Why it is stopped.
enum class Stop : uint32_t { signal, group, event, call_entry, call_exit };

// What a tracer wants of a running tracee: bits of Slot::wanted.
enum Wanted : uint32_t {
  wants_trap = 1,   // PTRACE_INTERRUPT, or the first stop of one that was seized
  wants_group = 2,  // the process is stopped by the signal in Body::group_signal
};

inline constexpr int no_report = -1;

struct Slot {
  std::atomic<Phase> phase;
  std::atomic<int> pid, tid;
  std::atomic<int> tracer;       // a process; 0: the thread is listed, and nobody traces it
  std::atomic<int> report;       // a wait(2) status that the tracer has not asked for, or no_report
  std::atomic<uint32_t> news;    // the tracer is due a SIGCHLD
  std::atomic<uint32_t> wanted;  // Wanted
  std::atomic<uint32_t> options;
  std::atomic<uint32_t> seized;
  std::atomic<uint32_t> was_stopped;  // by the host (SIGSTOP and the like), when it was attached to; is to be again
  std::atomic<uint32_t> listed;       // of a first thread: the others have slots as well
  std::atomic<uint32_t> mail_uid;
  std::atomic<int> mail_pid;
  std::atomic<uint64_t> mail;  // signals that were sent to the thread, which the host does not know
};

inline constexpr size_t most_vector_size = 12 * 1024;
inline constexpr size_t debug_registers = 8;

// What a stopped tracee shows, and what is ordered.
struct Body {
  Stop stop;
  Order order;
  int signal;  // with the order: to be delivered; 0: none
  int status;  // of the stop, as wait(2) has it
  int group_signal;
  bool has_info, info_changed, regs_changed, vector_changed, mask_changed;
  siginfo_t info;
  uint64_t mask;
  uint64_t message;
  user_regs_struct regs;
  uint64_t call_result;
  std::array<uint64_t, debug_registers> debug;
  size_t vector_size;
  alignas(64) std::array<std::byte, most_vector_size> vector;
  std::array<char, 2048> executable;  // of a process's first slot: where its program is in the name space
};

// Makes the table; before the first fork. Aborts where the host has no memory for it.
void prepare_table();
// Null: there is no table (natively), or nobody is traced in the environment.
bool is_used();

Body& body_of(const Slot& slot);
// The thread's slot; null: it has none.
Slot* find_slot(int tid);
// A new slot for the thread, running; or the one that it has. Null: the table is full.
Slot* take_slot(int pid, int tid);
void free_slot(Slot& slot);
// Calls `f` with each slot in use; it may free the slot.
template <class F>
void for_each_slot(F&& f);

// Has the process look at the table (trap::trace_mark). False: it is gone, or not to be signalled by us.
bool poke(int pid);
// The same for one that the host has stopped (proc(5): state T), and whether it is.
bool poke_stopped(int pid);
bool is_stopped_by_host(int pid);
// Whether it has the same table: is of our environment. EACCES: it is not ours to look at.
bool shares_table(int pid);
// False for what is only to be waited for.
bool is_alive(int pid);

size_t slot_count();
Slot& slot_at(size_t index);

template <class F>
void for_each_slot(F&& f) {
  for (size_t i = 0; i < slot_count(); ++i) {
    Slot& slot = slot_at(i);
    if (slot.phase != Phase::unused) f(slot);
  }
}

}  // namespace osp::ptrace
