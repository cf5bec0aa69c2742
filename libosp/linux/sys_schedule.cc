// How threads are scheduled (sched(7), getpriority(2)), hosted. Where there is one worker for one thread the host keeps
// it, else the core, since any worker runs any thread.
#include <linux/sched.h>
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>

#include "libosp/linux/calls.h"
#include "libosp/task/worker.h"

namespace osp::linux {
namespace {

using task::Schedule;
using task::Thread;

// Null: it is another process's, and the host's to know.
Thread* find_own(const Call& c, uint64_t id) {
  return static_cast<int>(id) == 0 ? &c.thread : c.process.find_thread(static_cast<int>(id));
}

const Schedule& schedule_of(const Thread& thread) {
  return thread.schedule != nullptr ? *thread.schedule : task::workers().schedule_at_start();
}

// By the host's only thread.
long set_by_host(Call& c, uint64_t id_at, uint64_t id) {
  task::workers().schedule_at_start();
  const long result = id_at == 0 ? raw::syscall(c.nr, id, c.b, c.c) : raw::syscall(c.nr, c.a, id, c.c);
  if (result < 0) return result;
  auto now = std::make_shared<Schedule>();
  if (raw::syscall(SYS_sched_getattr, 0, now.get(), sizeof *now, 0) != 0) return result;
  c.thread.schedule = task::this_worker().schedule = std::move(now);
  c.process.scheduler.schedule_changed(c.thread);
  return result;
}

long set(Call& c, Thread& thread, const Schedule& wanted) {
  if (const long refused = task::judge(wanted, schedule_of(thread)); refused != 0) return refused;
  thread.schedule = std::make_shared<const Schedule>(wanted);
  if (&thread == &c.thread) task::workers().take_schedule_of(thread);
  c.process.scheduler.schedule_changed(thread);
  return 0;
}

bool is_kept_by_host(const Call& c) { return c.process.single_threaded() && task::workers().is_one(); }

long by_host(Call& c) { return raw::syscall(c.nr, 0, c.b, c.c, c.d); }

}  // namespace

long sys_getpriority(Call& c) {
  const Thread* const thread = c.a == PRIO_PROCESS ? find_own(c, c.b) : nullptr;
  if (thread == nullptr) return forward(c);
  if (is_kept_by_host(c)) return raw::syscall(SYS_getpriority, PRIO_PROCESS, 0);
  return 20 - schedule_of(*thread).nice;
}

long sys_setpriority(Call& c) {
  Thread* const thread = c.a == PRIO_PROCESS ? find_own(c, c.b) : nullptr;
  if (thread == nullptr) return forward(c);
  if (is_kept_by_host(c)) return set_by_host(c, 1, 0);
  Schedule wanted = schedule_of(*thread);
  wanted.nice = std::clamp(static_cast<int>(c.c), -20, 19);
  const long result = set(c, *thread, wanted);
  return result == -EPERM ? -EACCES : result;
}

long sys_sched_setscheduler(Call& c) {
  const bool only_priority = c.nr == SYS_sched_setparam;
  Thread* const thread = find_own(c, c.a);
  if (thread == nullptr) return forward(c);
  if (is_kept_by_host(c)) return set_by_host(c, 0, 0);
  sched_param param = {};
  const uint64_t from = only_priority ? c.b : c.c;
  if (from == 0 || (!only_priority && static_cast<int>(c.b) < 0)) return -EINVAL;
  if (!get(from, param)) return -EFAULT;
  Schedule wanted = schedule_of(*thread);
  wanted.priority = static_cast<uint32_t>(param.sched_priority);
  if (!only_priority) {
    wanted.policy = static_cast<uint32_t>(c.b) & ~uint32_t{SCHED_RESET_ON_FORK};
    const bool resets = (c.b & SCHED_RESET_ON_FORK) != 0;
    wanted.flags = resets ? SCHED_FLAG_RESET_ON_FORK : 0;
  }
  return set(c, *thread, wanted);
}

long sys_sched_getscheduler(Call& c) {
  const Thread* const thread = find_own(c, c.a);
  if (thread == nullptr) return forward(c);
  if (is_kept_by_host(c)) return by_host(c);
  const Schedule& schedule = schedule_of(*thread);
  const bool resets = (schedule.flags & SCHED_FLAG_RESET_ON_FORK) != 0;
  return static_cast<long>(schedule.policy) | (resets ? SCHED_RESET_ON_FORK : 0);
}

long sys_sched_getparam(Call& c) {
  const Thread* const thread = find_own(c, c.a);
  if (thread == nullptr) return forward(c);
  if (is_kept_by_host(c)) return by_host(c);
  if (c.b == 0) return -EINVAL;
  sched_param param = {};
  param.sched_priority = static_cast<int>(schedule_of(*thread).priority);
  return put(c.b, param) ? 0 : -EFAULT;
}

long sys_sched_setattr(Call& c) {
  Thread* const thread = find_own(c, c.a);
  if (thread == nullptr) return forward(c);
  if (is_kept_by_host(c)) return set_by_host(c, 0, 0);
  Schedule wanted;
  uint32_t size = 0;
  if (c.b == 0 || c.c != 0) return -EINVAL;
  if (!get(c.b, size)) return -EFAULT;
  if (size != 0 && size < sizeof wanted) return -E2BIG;
  if (!get(c.b, wanted)) return -EFAULT;
  wanted.size = sizeof wanted;
  return set(c, *thread, wanted);
}

long sys_sched_getattr(Call& c) {
  const Thread* const thread = find_own(c, c.a);
  if (thread == nullptr) return forward(c);
  if (is_kept_by_host(c)) return by_host(c);
  if (c.b == 0 || c.c < sizeof(Schedule) || c.d != 0) return -EINVAL;
  return put(c.b, schedule_of(*thread)) ? 0 : -EFAULT;
}

long sys_sched_rr_get_interval(Call& c) {
  constexpr long round_robin_ns = 100'000'000;  // RR_TIMESLICE, the host's as it comes
  const Thread* const thread = find_own(c, c.a);
  if (thread == nullptr) return forward(c);
  const uint32_t policy = schedule_of(*thread).policy;
  if (is_kept_by_host(c) || (policy != SCHED_RR && policy != SCHED_FIFO)) return by_host(c);
  const timespec slice = {0, policy == SCHED_RR ? round_robin_ns : 0};
  return put(c.b, slice) ? 0 : -EFAULT;
}

}  // namespace osp::linux
