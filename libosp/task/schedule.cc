#include "libosp/task/schedule.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>

#include "base/raw_syscall.h"

namespace osp::task {
namespace {

constexpr unsigned idle_rank = 0, lowest_real_time_rank = 100, deadline_rank = 1000;
constexpr uint64_t usual_slice_ns = 1'000'000, least_slice_ns = 50'000, most_slice_ns = 20'000'000;
constexpr uint64_t least_runtime_ns = 1024;

bool is_fair(uint32_t policy) { return policy == SCHED_NORMAL || policy == SCHED_BATCH || policy == SCHED_IDLE; }
bool is_real_time(uint32_t policy) { return policy == SCHED_FIFO || policy == SCHED_RR; }

bool is_sound(const Schedule& s) {
  constexpr uint64_t known_flags = SCHED_FLAG_RESET_ON_FORK | SCHED_FLAG_RECLAIM | SCHED_FLAG_DL_OVERRUN;
  if ((s.flags & ~known_flags) != 0) return false;
  if (is_fair(s.policy)) return s.priority == 0 && s.nice >= -20 && s.nice <= 19;
  if (is_real_time(s.policy)) return s.priority >= 1 && s.priority <= 99;
  if (s.policy != SCHED_DEADLINE || s.priority != 0 || s.runtime < least_runtime_ns) return false;
  return s.runtime <= s.deadline && (s.period == 0 || s.deadline <= s.period) && static_cast<int64_t>(s.period) >= 0;
}

uint64_t limit_of(int resource) {
  rlimit limit = {};
  raw::syscall(SYS_prlimit64, 0, resource, 0, &limit);
  return limit.rlim_cur;
}

bool may_be_as_nice_as(int nice) { return static_cast<uint64_t>(20 - nice) <= limit_of(RLIMIT_NICE); }

// user_check_sched_setscheduler() in kernel/sched/syscalls.c.
bool needs_privilege(const Schedule& wanted, const Schedule& now) {
  if (is_fair(wanted.policy) && wanted.nice < now.nice && !may_be_as_nice_as(wanted.nice)) return true;
  if (is_real_time(wanted.policy)) {
    const uint64_t limit = limit_of(RLIMIT_RTPRIO);
    if (wanted.policy != now.policy && limit == 0) return true;
    if (wanted.priority > now.priority && wanted.priority > limit) return true;
  }
  if (wanted.policy == SCHED_DEADLINE) return true;
  if (now.policy == SCHED_IDLE && wanted.policy != SCHED_IDLE && !may_be_as_nice_as(now.nice)) return true;
  return (now.flags & SCHED_FLAG_RESET_ON_FORK) != 0 && (wanted.flags & SCHED_FLAG_RESET_ON_FORK) == 0;
}

}  // namespace

unsigned rank_of(const Schedule* schedule) {
  if (schedule == nullptr) return ordinary_rank;
  if (schedule->policy == SCHED_DEADLINE) return deadline_rank;
  if (is_real_time(schedule->policy)) return lowest_real_time_rank + schedule->priority;
  return schedule->policy == SCHED_IDLE ? idle_rank : ordinary_rank;
}

bool takes_turns(const Schedule* schedule) {
  return schedule == nullptr || (schedule->policy != SCHED_FIFO && schedule->policy != SCHED_DEADLINE);
}

uint64_t slice_of(const Schedule* schedule) {
  if (schedule == nullptr || schedule->nice == 0 || !is_fair(schedule->policy)) return usual_slice_ns;
  uint64_t slice = usual_slice_ns;
  for (int step = std::abs(schedule->nice); step != 0; --step)
    slice = schedule->nice < 0 ? slice / 4 * 5 : slice / 5 * 4;
  return std::clamp(slice, least_slice_ns, most_slice_ns);
}

SchedulePointer inherited(const SchedulePointer& parents) {
  if (parents == nullptr || (parents->flags & SCHED_FLAG_RESET_ON_FORK) == 0) return parents;
  auto own = std::make_shared<Schedule>();
  if (is_fair(parents->policy)) own->policy = parents->policy, own->nice = std::max(parents->nice, 0);
  return own;
}

bool may_do_all() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  return raw::syscall(SYS_capget, &header, data) == 0 && (data[0].effective >> CAP_SYS_NICE & 1) != 0;
}

long judge(const Schedule& wanted, const Schedule& now) {
  if (!is_sound(wanted)) return -EINVAL;
  return needs_privilege(wanted, now) && !may_do_all() ? -EPERM : 0;
}

}  // namespace osp::task
