// What a process says of itself: prctl(2), and how willingly it waits for others: nice(2).
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>

#include "libosp/linux/calls.h"
#include "libosp/native/calls.h"
#include "libosp/native/processes.h"

namespace osp::native {

using linux::put;

namespace {

// The processes that getpriority(2) and setpriority(2) mean.
std::vector<Member*> meant(Call& c) {
  Processes& all = Processes::of(c.process);
  const auto id = static_cast<int>(c.b);
  if (c.a == PRIO_PROCESS) {
    Member* one = id == 0 ? &all.member(c.process) : all.find(id);
    return one == nullptr ? std::vector<Member*>() : std::vector{one};
  }
  if (c.a == PRIO_PGRP) return all.group(id == 0 ? all.member(c.process).group : id);
  const uid_t uid = id == 0 ? c.process.credentials.uid : static_cast<uid_t>(id);
  std::vector<Member*> found = all.all();
  std::erase_if(found, [&](const Member* m) { return m->is_zombie() || m->process->credentials.uid != uid; });
  return found;
}

constexpr int least_nice = -20, most_nice = 19;

long set_nice(const Call& c, Member& member, int value) {
  const task::Credentials& who = c.process.credentials;
  const uid_t owner = member.is_zombie() ? member.uid : member.process->credentials.uid;
  if (who.euid != 0 && who.euid != owner) return -EPERM;
  const auto limit = static_cast<int64_t>(c.process.limits[RLIMIT_NICE].rlim_cur);
  if (value < member.nice && who.euid != 0 && 20 - value > limit) return -EACCES;
  member.nice = value;
  return 0;
}

long death_signal(Call& c, Member& self) {
  if (c.a == PR_GET_PDEATHSIG) return put(c.b, self.parent_death_signal) ? 0 : -EFAULT;
  if (c.b > static_cast<uint64_t>(signal::last_signal)) return -EINVAL;
  self.parent_death_signal = static_cast<int>(c.b);
  return 0;
}

}  // namespace

// As the call has it: 20 - nice, so that it is never negative.
long sys_getpriority(Call& c) {
  if (c.a > PRIO_USER) return -EINVAL;
  const auto found = meant(c);
  if (found.empty()) return -ESRCH;
  const auto* best = *std::min_element(found.begin(), found.end(), [](auto* a, auto* b) { return a->nice < b->nice; });
  return 20 - best->nice;
}

long sys_setpriority(Call& c) {
  if (c.a > PRIO_USER) return -EINVAL;
  const auto found = meant(c);
  const int value = std::clamp(static_cast<int>(c.c), least_nice, most_nice);
  long result = found.empty() ? -ESRCH : 0;
  for (Member* member : found)
    if (const long error = set_nice(c, *member, value); error != 0) result = error;
  return result;
}

long sys_prctl(Call& c) {
  Member& self = Processes::of(c.process).member(c.process);
  switch (c.a) {
    case PR_SET_NAME:
    case PR_GET_NAME:
    case PR_SET_VMA:
      return linux::sys_prctl(c);
    case PR_SET_PDEATHSIG:
    case PR_GET_PDEATHSIG:
      return death_signal(c, self);
    case PR_SET_CHILD_SUBREAPER:
      self.is_subreaper = c.b != 0;
      return 0;
    case PR_GET_CHILD_SUBREAPER:
      return put(c.b, static_cast<int>(self.is_subreaper)) ? 0 : -EFAULT;
    case PR_SET_NO_NEW_PRIVS:
      if (c.b != 1 || c.c != 0 || c.d != 0 || c.e != 0) return -EINVAL;
      self.no_new_privileges = true;
      return 0;
    case PR_GET_NO_NEW_PRIVS:
      return static_cast<long>(self.no_new_privileges);
    case PR_GET_DUMPABLE:
      return 1;
    case PR_CAPBSET_READ:
      return c.b <= CAP_LAST_CAP ? 1 : -EINVAL;
    case PR_SET_DUMPABLE:
    case PR_SET_TIMERSLACK:
    case PR_SET_THP_DISABLE:
    case PR_GET_KEEPCAPS:
    case PR_GET_SECCOMP:
      return 0;
    default:
      return -EINVAL;
  }
}

}  // namespace osp::native
