// What workers do that have nothing to run, and how they are roused.
//
// One of those at rest looks for events (the poller); others sleep. A signal for the process must reach the thread that
// runs, before what its sender does next: so who rests takes none while another worker is awake. When the last lies
// down it becomes the guard, who polls and takes signals.
#include <sys/eventfd.h>

#include "base/raw_syscall.h"
#include "libosp/file/files.h"
#include "libosp/host/host.h"
#include "libosp/task/core_lock.h"
#include "libosp/task/process.h"
#include "libosp/task/scheduler.h"
#include "libosp/trap/raw_handler.h"

namespace osp::task {
namespace {

constexpr signal::Mask all_but_tick = ~signal::bit(trap::tick_signal);
constexpr int64_t without_bell_ns = 1'000'000;

}  // namespace

int64_t Scheduler::timeout_of_rest() {
  poller_until_ = next_deadline();
  if (poller_until_ == 0) return -1;
  const uint64_t now = host_now_ns();
  return poller_until_ > now ? static_cast<int64_t>(poller_until_ - now) : 0;
}

void Scheduler::poll(Worker& self, bool guards) {
  poller_worker_ = &self;
  if (guards) guard_ = &self;
  const int64_t timeout = timeout_of_rest();
  const bool can_poll = poller_.open();
  Poller::Events events;
  core_lock().unlock();
  if (can_poll) {
    poller_.look(timeout, guards ? nullptr : &all_but_tick, events);
  } else {
    host::sleep_until(host::monotonic_ns() + without_bell_ns);
  }
  core_lock().lock();
  if (can_poll && poller_.settle(events)) poller_.silence_bell();
  if (poller_worker_ == &self) poller_worker_ = nullptr;
  if (guard_ == &self) guard_ = nullptr;
}

void Scheduler::sleep_until_roused(Worker& self) {
  if (self.bell < 0)
    self.bell =
        static_cast<int>(file::keep_fd(static_cast<int>(raw::syscall(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK))));
  pollfd bell = {self.bell, POLLIN, 0};
  const timespec limit = {0, without_bell_ns};
  core_lock().unlock();
  osp_blocking_syscall(SYS_ppoll, raw::arg(&bell), 1, self.bell < 0 ? raw::arg(&limit) : 0, raw::arg(&all_but_tick), 8,
                       0);
  core_lock().lock();
  uint64_t count = 0;
  if (self.bell >= 0) raw::read(self.bell, &count, sizeof count);
}

void Scheduler::rest(Worker& self) {
  self.is_resting = true;
  ++resting_;
  const bool guards = guard_ == nullptr && resting_ == workers().all().size();
  if (guards && poller_worker_ != nullptr) Workers::kick(*poller_worker_);  // it lies down to sleep
  if (guards || (guard_ == nullptr && poller_worker_ == nullptr)) {
    poll(self, guards);
  } else {
    mind_poller();
    sleep_until_roused(self);
  }
  Workers::run_errands(self);
  self.is_resting = false;
  --resting_;
  if (std::exchange(self.is_roused, false)) --roused_;
}

bool Scheduler::can_rouse() const { return devices_ == nullptr && (resting_ > roused_ || workers().may_grow()); }

bool Scheduler::needs_poller() const {
  return devices_ != nullptr || (poller_worker_ == nullptr && poller_.has_waiters());
}

bool Scheduler::needs_watch() const { return needs_poller() || (poller_worker_ == nullptr && next_deadline() != 0); }

// Who ran last what is ready before other sleepers, and these before the poller, who goes on looking. Whether somebody
// comes.
bool Scheduler::rouse_one() {
  if (devices_ != nullptr || (!has_ready() && !needs_watch())) return false;
  if (roused_ != 0 && roused_ >= ready_count_) return true;
  Worker* chosen = poller_worker_ != nullptr && !poller_worker_->is_roused ? poller_worker_ : nullptr;
  const auto sleeps = [this](const Worker& worker) {
    return worker.is_resting && !worker.is_roused && &worker != poller_worker_;
  };
  for (Worker* worker : workers().all())
    if (sleeps(*worker)) chosen = worker;
  if (Worker* const home = home_of_next(); home != nullptr && sleeps(*home)) chosen = home;
  if (chosen == nullptr) {
    if (!has_ready() || !workers().may_grow()) return false;
    if (!workers().grow(serve_as_worker)) return false;
    ++roused_;
    return true;
  }
  chosen->is_roused = true;
  ++roused_;
  const uint64_t one = 1;
  if (chosen == poller_worker_) {
    poller_.ring();
  } else if (chosen->bell >= 0) {
    raw::write(chosen->bell, &one, sizeof one);
  }
  return true;
}

void Scheduler::let_others_run() {
  if (rouse_one() || resting_ != 0 || !needs_watch()) return;
  if (workers().may_grow() && workers().grow(serve_as_worker)) ++roused_;
}

bool Scheduler::can_spare_worker() {
  if (has_ready() || devices_ != nullptr || workers().blocked >= most_waiting_workers || needs_watch()) return false;
  mind_poller();
  return true;
}

// A deadline before the one that the poller looks for.
void Scheduler::mind_poller() {
  const uint64_t next = next_deadline();
  if (poller_worker_ == nullptr || next == 0 || (poller_until_ != 0 && poller_until_ <= next)) return;
  poller_until_ = next;
  poller_.ring();
}

void Scheduler::forget_bells() {
  for (Worker* worker : workers().all())
    if (worker->bell >= 0) file::drop_fd(std::exchange(worker->bell, -1));
}

}  // namespace osp::task
