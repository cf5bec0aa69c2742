#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "libosp/signal/state.h"
#include "libosp/task/schedule.h"
#include "libosp/trap/frame.h"

namespace osp::task {

struct Thread;

// As sched_setaffinity(2) has it: a bit for each processor.
using ProcessorSet = std::vector<uint64_t>;

// A host thread that runs fibers. Its fields are the lock holder's (core_lock.h) where nothing else is said.
struct Worker {
  // `place`: where its host thread's `raw` is to be.
  explicit Worker(void* place) : raw(*new (place) trap::Worker) { raw.owner = this, raw.ring = &ring; }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  trap::Worker& raw;  // found by gs; written by signal handlers
  int host_tid = 0;
  long signal_stack = 0;
  Thread* current = nullptr;       // whose fiber it runs, or ran last
  Thread* vector_owner = nullptr;  // whose upper vector state the processor holds
  int tick_timer = -1;
  uint64_t tick_after_ns = 0;      // for how long the tick was set; 0: it is not set, or has come
  uint64_t tick_due_ns = 0;        // if it was set for a deadline
  signal::Mask terminal_mask = 0;  // what the host has for SIGTTIN and SIGTTOU
  int bell = -1;                   // eventfd: rouses it where it sleeps
  bool is_resting = false;         // has nothing to run: waits for events, or for its bell
  bool is_roused = false;          // has been told that there is work

  std::vector<std::function<void()>> errands;      // what its host thread has to do before anything else
  std::shared_ptr<const ProcessorSet> processors;  // where the host lets it run; null: where it was begun
  uint64_t asked_ns = 0;     // its processor time when the host was asked last (Scheduler::run_of)
  uint64_t told_ns = 0;      // what has been added to threads' times since
  uint64_t left_ns = 0;      // when it left a thread, until it has entered the next; 0: it has rested since
  SchedulePointer schedule;  // as the host schedules it, or was meant to

  // Where it is without the lock, for others to see.
  enum class Away : uint32_t { no, in_program, in_host };
  std::atomic<Away> away = Away::no;
  std::atomic<bool> is_granted = false;  // the core lock's

  trap::SignalRing ring;  // large, and seldom written: behind what a fork copies
};

// The caller's. Asked anew after each switch of fibers: then it may be another one.
inline Worker& this_worker() { return *static_cast<Worker*>(trap::worker().owner); }

// From here on calls of the program's on this host thread come to the core: the word of gs that its trampolines and
// vDSO jump through is set. In libc's control block it is that of thread-local data of loaded libraries (dtv), of which
// the core has none.
void let_trampolines_enter();

// The worker that the process starts with, before it is one of workers(). First called by its host thread.
Worker& first_worker();

// The host threads of the process that run fibers. Core only, with the lock held; none of it parks.
class Workers {
 public:
  // Of one that exists already: the first, or in a forked child the only one.
  void begin_with(Worker& only);
  // How many there may be: the processors that the process may use, or what OSP_WORKERS said.
  void set_most(size_t count) { most_ = count; }
  [[nodiscard]] bool may_grow() const { return all_.size() - blocked < most_ && all_.size() < limit; }
  // Starts another, which calls `body` with the lock held. False: the host has no thread for it.
  bool grow(void (*body)());
  [[nodiscard]] const std::vector<Worker*>& all() const { return all_; }
  [[nodiscard]] bool is_one() const { return all_.size() == 1; }

  // What the host keeps for each of its threads and the program for the process (credentials, say): the caller has
  // changed it for its own worker; `change` makes the host threads of the others follow before they do anything else.
  void everywhere(const std::function<void()>& change) const;
  // To be called by a worker that has just taken the core lock: what everywhere() left for it.
  static void run_errands(Worker& self) {
    if (!self.errands.empty()) run_all_errands(self);
  }
  // Makes the caller's host thread run where `thread` shall.
  void move_to_processors_of(const Thread& thread);
  // Makes the host schedule it as the thread, where we may undo that again (CAP_SYS_NICE). SCHED_DEADLINE is only the
  // scheduler's: the host would not let such a thread fork.
  void take_schedule_of(const Thread& thread);
  // What a thread without a schedule of its own has.
  const Schedule& schedule_at_start();

  // Makes it leave the program or the host's call that it is in; it comes for the core lock soon.
  static void kick(Worker& worker);
  // When it returns no other worker runs the program, and none can until the caller gives up the lock.
  void stop_the_world() const;
  // When it returns no other worker is in a call of the host's, which might write to the program's memory; they begin
  // again when the caller gives up the lock. Waits for those that the host does not interrupt.
  void end_host_calls() const;

  size_t blocked = 0;  // in calls of the host that may take long

 private:
  static constexpr size_t limit = 64;

  static void run_all_errands(Worker& self);

  std::vector<Worker*> all_;
  size_t most_ = 1;
  ProcessorSet processors_at_start_;
  SchedulePointer schedule_at_start_;
};

Workers& workers();

// Gives the core up for a call of the host that may take long. Nothing that another fiber may change can be relied on
// afterwards but the caller's own stack; the worker is the same.
class OutsideCore {
 public:
  OutsideCore();
  ~OutsideCore();
  OutsideCore(const OutsideCore&) = delete;
  OutsideCore& operator=(const OutsideCore&) = delete;
};

// What the host shows as the process's name (/proc/PID/comm): `name` has at most 15 bytes.
void show_process_name(const char* name);

}  // namespace osp::task
