// What Linux keeps for each thread and people mean for the process (credentials(7), prctl(2)), or for a thread of the
// program whichever worker runs it (sched_setaffinity(2)).
#include <linux/capability.h>

#include "libosp/host/side.h"
#include "libosp/linux/calls.h"
#include "libosp/patch/site_patcher.h"
#include "libosp/task/worker.h"

namespace osp::linux {
namespace {

constexpr size_t most_groups = 65536;

// Makes the others do what this worker's host thread has done; no argument is an address.
void repeat_everywhere(const Call& c) {
  task::workers().everywhere(
      [nr = c.nr, a = c.a, b = c.b, d = c.c, e = c.d, f = c.e] { raw::syscall(nr, a, b, d, e, f); });
}

struct Ids {
  std::array<uid_t, 3> users = {};
  std::array<gid_t, 3> groups = {};
  bool operator==(const Ids&) const = default;
  static Ids now() {
    Ids ids;
    raw::syscall(SYS_getresuid, ids.users.data(), &ids.users[1], &ids.users[2]);
    raw::syscall(SYS_getresgid, ids.groups.data(), &ids.groups[1], &ids.groups[2]);
    return ids;
  }
};

bool is_alone() { return host::is_native() || task::workers().is_one(); }

}  // namespace

long forward_everywhere(Call& c) {
  const long result = forward(c);
  if (!is_alone() && result >= 0) repeat_everywhere(c);
  return result;
}

// setuid(2) and its family.
long sys_set_ids(Call& c) {
  if (host::is_native()) return forward_everywhere(c);
  const Ids before = Ids::now();
  const long result = forward_everywhere(c);
  if (before != Ids::now() || c.nr == SYS_setfsuid || c.nr == SYS_setfsgid) c.process.patcher->leave();
  return result;
}

// All threads have the same: the host does not know them.
long sys_ioprio(Call& c) {
  constexpr uint64_t of_process = 1;
  if (c.a == of_process && is_own_id(c, c.b)) c.b = 0;
  return c.nr == SYS_ioprio_set ? forward_everywhere(c) : forward(c);
}

long sys_setgroups(Call& c) {
  const long result = forward(c);
  if (result >= 0) c.process.patcher->leave();
  if (is_alone() || result < 0 || c.a > most_groups) return result;
  std::vector<gid_t> groups(c.a);
  if (osp_user_copy(groups.data(), Call::pointer<void>(c.b), groups.size() * sizeof(gid_t)) != 0) return -EFAULT;
  task::workers().everywhere([groups] { raw::syscall(SYS_setgroups, groups.size(), groups.data()); });
  return result;
}

long sys_capset(Call& c) {
  const long result = forward(c);
  if (result >= 0) c.process.patcher->leave();
  if (is_alone() || result < 0) return result;
  __user_cap_header_struct header = {};
  std::array<__user_cap_data_struct, 2> data = {};
  if (!get(c.a, header)) return -EFAULT;
  const size_t size = header.version == _LINUX_CAPABILITY_VERSION_1 ? sizeof data[0] : sizeof data;
  if (osp_user_copy(data.data(), Call::pointer<void>(c.b), size) != 0) return -EFAULT;
  task::workers().everywhere([header, data]() mutable {
    header.pid = 0;
    raw::syscall(SYS_capset, &header, data.data());
  });
  return result;
}

// The host judges the set by this worker's thread, which then goes back to where its own thread shall run.
long sys_sched_setaffinity(Call& c) {
  if (!is_own_id(c, c.a) && c.a != 0) return forward(c);
  task::Thread* const thread = c.a == 0 ? &c.thread : c.process.find_thread(static_cast<int>(c.a));
  if (host::is_native() || thread == nullptr) return sys_first_pid(c);
  if (const long result = raw::syscall(SYS_sched_setaffinity, 0, c.b, c.c); result != 0) return result;
  auto set = std::make_shared<task::ProcessorSet>(std::min<size_t>(c.b, 1024) / sizeof(uint64_t) + 1);
  if (osp_user_copy(set->data(), Call::pointer<void>(c.c), std::min<size_t>(c.b, 1024)) != 0) return -EFAULT;
  thread->processors = std::move(set);
  task::workers().move_to_processors_of(c.thread);
  c.process.scheduler.interrupt(*thread);
  return 0;
}

long sys_sched_getaffinity(Call& c) {
  const task::Thread* const thread = c.a == 0 ? &c.thread : c.process.find_thread(static_cast<int>(c.a));
  if (thread == nullptr || thread == &c.thread || thread->processors == nullptr) return sys_first_pid(c);
  const task::ProcessorSet& set = *thread->processors;
  const size_t size = std::min<size_t>(c.b, (set.size() - 1) * sizeof(uint64_t));
  return osp_user_copy(Call::pointer<void>(c.c), set.data(), size) == 0 ? static_cast<long>(size) : -EFAULT;
}

}  // namespace osp::linux
