#pragma once

#include <cstdint>
#include <memory>

namespace osp::task {

// How a thread is to be scheduled: struct sched_attr of sched_setattr(2), as its first version has it.
struct Schedule {
  uint32_t size = 48;
  uint32_t policy = 0;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;                           // of SCHED_FIFO and SCHED_RR
  uint64_t runtime = 0, deadline = 0, period = 0;  // ns, of SCHED_DEADLINE
};
static_assert(sizeof(Schedule) == 48);

// Null: as the process was begun, which counts as SCHED_OTHER and nice 0.
using SchedulePointer = std::shared_ptr<const Schedule>;

inline constexpr unsigned ordinary_rank = 1;

// The higher runs before the lower. Of the same rank the first to come does, but for SCHED_DEADLINE.
unsigned rank_of(const Schedule* schedule);
// It gives way to others of its rank when its slice is over.
bool takes_turns(const Schedule* schedule);
// ns; longer for the less nice, as Linux weighs them (sched_prio_to_weight in kernel/sched/core.c), within limits.
uint64_t slice_of(const Schedule* schedule);

// What a new thread or process has of its parent's (sched(7): SCHED_RESET_ON_FORK).
SchedulePointer inherited(const SchedulePointer& parents);

// Whether the rules of sched_setattr(2) let a thread that is scheduled by `now` change that to `wanted`; 0, or -EINVAL
// or -EPERM. Asks the host for the caller's capabilities and limits.
long judge(const Schedule& wanted, const Schedule& now);
// CAP_SYS_NICE.
bool may_do_all();

}  // namespace osp::task
