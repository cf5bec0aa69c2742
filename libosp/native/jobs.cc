#include "libosp/native/jobs.h"

#include <signal.h>

#include <algorithm>

#include "libosp/signal/deliver.h"

namespace osp::native {

int Jobs::group_of(const task::Process& process) const { return processes_.member(process).group; }
int Jobs::session_of(const task::Process& process) const { return processes_.member(process).session; }

int Jobs::session_of_group(int group) const {
  const auto members = processes_.group(group);
  return members.empty() ? 0 : members.front()->session;
}

bool Jobs::is_orphaned(int group) const {
  return std::ranges::none_of(processes_.group(group), [&](const Member* member) {
    const Member* parent = processes_.find(member->parent);
    return parent != nullptr && parent->group != group && parent->session == member->session;
  });
}

void Jobs::signal_group(int group, int signo) { processes_.post_to_group(group, signal::make_info(signo, SI_KERNEL)); }

void Jobs::signal_process(int pid, int signo) {
  if (Member* member = processes_.find(pid); member != nullptr && !member->is_zombie())
    processes_.post(*member, signal::make_info(signo, SI_KERNEL));
}

}  // namespace osp::native
