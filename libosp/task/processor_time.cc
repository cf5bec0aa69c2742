// How long threads and processes have run (Scheduler).
#include <time.h>

#include <algorithm>

#include "base/raw_syscall.h"
#include "libosp/host/side.h"
#include "libosp/task/process.h"

namespace osp::task {

void Scheduler::charge() {
  const uint64_t now = host_now_ns();
  if (charged_ns_ != 0) process().processor_ns += now - charged_ns_;
  charged_ns_ = now;
}

namespace {

// Of the worker's host thread, be it the caller's or not (clock_gettime(2): the ids that the kernel makes of tids).
uint64_t processor_time_of(const Worker& worker) {
  constexpr long per_thread = 4, scheduled = 2;
  timespec used = {};
  raw::syscall(SYS_clock_gettime, (~static_cast<long>(worker.host_tid) << 3) | per_thread | scheduled, &used);
  return static_cast<uint64_t>(used.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(used.tv_nsec);
}

}  // namespace

// A short run is taken to have had its processor all the time; else the host is asked what the worker has used, of
// which the short runs since it was asked last are not this thread's.
uint64_t Scheduler::run_of(const Thread& thread, uint64_t now, uint64_t* worker_used) {
  constexpr uint64_t short_ns = 200'000;
  const uint64_t wall = now - thread.since_ns;
  if (wall < short_ns || host::is_native()) return wall;
  const uint64_t used = processor_time_of(*thread.on), others = thread.on->asked_ns + thread.on->told_ns;
  if (worker_used != nullptr) *worker_used = used;
  return std::min(wall, used - std::min(used, others));
}

uint64_t Scheduler::time_of(const Thread& thread) {
  return thread.on == nullptr ? thread.ran_ns : thread.ran_ns + run_of(thread, host_now_ns(), nullptr);
}

// The thread leaves its worker.
void Scheduler::settle_time(Thread& thread) {
  uint64_t used = 0;
  Worker& worker = *thread.on;
  worker.left_ns = host_now_ns();
  const uint64_t run = run_of(thread, worker.left_ns, &used);
  thread.ran_ns += run;
  if (used == 0) {
    worker.told_ns += run;
  } else {
    worker.asked_ns = used, worker.told_ns = 0;
  }
}

int64_t Scheduler::processor_time_ns(const Process& of) const {
  const uint64_t running = &of == &process() ? host_now_ns() - charged_ns_ : 0;
  return static_cast<int64_t>(of.processor_ns + running);
}

}  // namespace osp::task
