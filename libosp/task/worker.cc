#include "libosp/task/worker.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>

#include <cstring>

#include "base/raw_syscall.h"
#include "libosp/host/host.h"
#include "libosp/task/blocking.h"
#include "libosp/task/core_lock.h"
#include "libosp/task/fork.h"
#include "libosp/task/process.h"
#include "libosp/task/signals_held.h"
#include "libosp/trap/raw_handler.h"

namespace osp::task {
namespace {

constexpr size_t stack_size = 256 * 1024;

struct Beginning {
  void (*body)();
  std::atomic<uint32_t> may_begin = 0;
};

// The first things that a new host thread does; until then all signals are blocked.
void* begin(void* argument) {
  auto* const start = static_cast<Beginning*>(argument);
  while (start->may_begin.load() == 0) raw::syscall(SYS_futex, &start->may_begin, FUTEX_WAIT_PRIVATE, 0, nullptr);
  let_trampolines_enter();
  core_lock().lock();
  void (*const body)() = std::unique_ptr<Beginning>(start)->body;
  prepare_worker();
  const signal::Mask none = this_worker().terminal_mask;
  raw::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, 0, 8);
  body();
  return nullptr;
}

// Whether it is another's than the caller's, and there.
bool is_another(const Worker& worker, Worker::Away where) {
  return &worker != &this_worker() && worker.away.load() == where;
}

void kick_from(const std::vector<Worker*>& all, Worker::Away where) {
  for (Worker* worker : all)
    if (is_another(*worker, where)) Workers::kick(*worker);
}

void call_back_from(const std::vector<Worker*>& all, Worker::Away where) {
  kick_from(all, where);
  for (const Worker* worker : all)
    while (is_another(*worker, where)) host::yield();
}

// Where the room for its worker is, or null: the host has no thread for it.
void* start_thread(Beginning* beginning) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, stack_size);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  const SignalsHeld held;
  pthread_t thread;
  const int error = pthread_create(&thread, &attributes, begin, beginning);
  pthread_attr_destroy(&attributes);
  if (error != 0) return nullptr;
  const auto own = reinterpret_cast<uintptr_t>(__builtin_thread_pointer());
  const auto new_one = static_cast<uintptr_t>(thread);  // glibc's numbers are thread pointers
  return osp_worker + (new_one - own);
}

void let_begin(Beginning& beginning) {
  beginning.may_begin = 1;
  raw::syscall(SYS_futex, &beginning.may_begin, FUTEX_WAKE_PRIVATE, 1);
}

}  // namespace

void let_trampolines_enter() { asm volatile("movq %0, %%gs:%c1" : : "r"(&osp_trap_entry), "i"(OSP_GS_ENTRY)); }

Worker& first_worker() {
  [[gnu::section(".hot_data_end")]] static Worker the_first(osp_worker);  // last: its ring is not hot
  return the_first;
}

Workers& workers() {
  [[gnu::section(".hot_data")]] static Workers the_workers;
  return the_workers;
}

void Workers::begin_with(Worker& only) {
  all_.assign(1, &only);
  blocked = 0;
}

bool Workers::grow(void (*body)()) {
  auto beginning = std::make_unique<Beginning>(body);
  void* const place = start_thread(beginning.get());
  if (place == nullptr) {
    most_ = all_.size();
    return false;
  }
  Beginning& waiting = *beginning.release();
  auto* const made = new Worker(place);  // for as long as the process
  made->raw.bases_by_call = this_worker().raw.bases_by_call;
  made->raw.clock_refused = this_worker().raw.clock_refused;
  made->terminal_mask = this_worker().terminal_mask;
  made->raw.host_mask = this_worker().raw.host_mask;  // clone(2) gives it the mask
  made->processors = this_worker().processors;
  made->schedule = this_worker().schedule;
  all_.push_back(made);
  let_begin(waiting);
  return true;
}

void Workers::kick(Worker& worker) {
  worker.raw.pending = 1;
  siginfo_t tick = {};
  tick.si_signo = trap::tick_signal, tick.si_code = SI_TIMER, tick.si_value.sival_int = trap::tick_mark;
  raw::syscall(SYS_rt_tgsigqueueinfo, raw::getpid(), worker.host_tid, trap::tick_signal, &tick);
}

void Workers::stop_the_world() const { call_back_from(all_, Worker::Away::in_program); }
void Workers::end_host_calls() const { call_back_from(all_, Worker::Away::in_host); }

void Workers::everywhere(const std::function<void()>& change) const {
  for (Worker* worker : all_)
    if (worker != &this_worker()) worker->errands.push_back(change);
  kick_from(all_, Worker::Away::in_program);
}

void Workers::run_all_errands(Worker& self) {
  for (const auto& errand : std::exchange(self.errands, {})) errand();
}

void Workers::move_to_processors_of(const Thread& thread) {
  Worker& self = this_worker();
  if (processors_at_start_.empty()) {
    processors_at_start_.resize(128);
    const long size = raw::syscall(SYS_sched_getaffinity, 0, processors_at_start_.size() * sizeof(uint64_t),
                                   processors_at_start_.data());
    processors_at_start_.resize(size > 0 ? static_cast<size_t>(size) / sizeof(uint64_t) : 1);
  }
  self.processors = thread.processors;
  const ProcessorSet& set = self.processors != nullptr ? *self.processors : processors_at_start_;
  raw::syscall(SYS_sched_setaffinity, 0, set.size() * sizeof(uint64_t), set.data());
}

const Schedule& Workers::schedule_at_start() {
  if (schedule_at_start_ == nullptr) {
    auto now = std::make_shared<Schedule>();
    raw::syscall(SYS_sched_getattr, 0, now.get(), sizeof *now, 0);
    schedule_at_start_ = std::move(now);
  }
  return *schedule_at_start_;
}

void Workers::take_schedule_of(const Thread& thread) {
  Worker& self = this_worker();
  self.schedule = thread.schedule;
  const Schedule& wanted = thread.schedule != nullptr ? *thread.schedule : schedule_at_start();
  if (wanted.policy != SCHED_DEADLINE && may_do_all()) raw::syscall(SYS_sched_setattr, 0, &wanted, 0);
}

long blocking_call(long nr, long a, long b, long c, long d, long e, long f) {
  const bool is_alone = workers().is_one() && process().single_threaded();
  if (is_alone) return osp_blocking_syscall(nr, a, b, c, d, e, f);
  const OutsideCore outside;
  return osp_blocking_syscall(nr, a, b, c, d, e, f);
}

long interruptible_call(long nr, long a, long b, long c, long d, long e, long f) {
  Thread& thread = *this_worker().current;
  if (thread.process.signal_waits(thread)) return OSP_NOT_BEGUN;
  return blocking_call(nr, a, b, c, d, e, f);
}

// It is the first thread's, which may be another worker's.
void show_process_name(const char* name) {
  if (this_worker().host_tid == raw::getpid()) {
    raw::syscall(SYS_prctl, PR_SET_NAME, name);
    return;
  }
  const auto fd = static_cast<int>(raw::syscall(SYS_open, "/proc/self/comm", O_WRONLY | O_CLOEXEC, 0));
  raw::write(fd, name, std::strlen(name));
  raw::close(fd);
}

OutsideCore::OutsideCore() {
  ++workers().blocked;
  this_worker().away = Worker::Away::in_host;
  scheduler().let_others_run();
  core_lock().unlock();
}

OutsideCore::~OutsideCore() {
  this_worker().away = Worker::Away::no;
  core_lock().lock();
  Workers::run_errands(this_worker());
  --workers().blocked;
}

}  // namespace osp::task
