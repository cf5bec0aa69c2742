#include "libosp/native/job_control.h"

#include <algorithm>

#include "libosp/signal/deliver.h"

namespace osp::native {

int ProcessJobs::group_of(const task::Process& process) const { return processes_.member(process).group; }
int ProcessJobs::session_of(const task::Process& process) const { return processes_.member(process).session; }

int ProcessJobs::session_of_group(int group) const {
  const auto members = processes_.group(group);
  return members.empty() ? 0 : members.front()->session;
}

bool ProcessJobs::is_orphaned(int group) const {
  return std::ranges::none_of(processes_.group(group), [&](const Member* member) {
    const Member* parent = processes_.find(member->parent);
    return !member->is_zombie() && parent != nullptr && parent->group != group && parent->session == member->session;
  });
}

void ProcessJobs::signal_group(int group, int signo) {
  processes_.post_to_group(group, signal::make_info(signo, SI_KERNEL));
}

void ProcessJobs::signal_process(int pid, int signo) {
  if (Member* member = processes_.find(pid)) processes_.post(*member, signal::make_info(signo, SI_KERNEL));
}

}  // namespace osp::native
