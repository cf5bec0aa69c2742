// Who a process is, what it may use, and on what: credentials(7), getrlimit(2), uname(2), sysinfo(2).
#include <linux/capability.h>
#include <sched.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cstring>

#include "libosp/file/files.h"
#include "libosp/linux/calls.h"
#include "libosp/linux/clock.h"
#include "libosp/native/calls.h"
#include "libosp/native/machine.h"
#include "libosp/native/processes.h"

namespace osp::native {

using linux::get;
using linux::put;

namespace {

constexpr uint32_t keep = ~uint32_t{0};

// Of the three ids, which of `wanted` a plain user may take; -1 keeps one.
bool may_take(bool is_root, const std::array<uint32_t, 3>& have, std::initializer_list<uint32_t> wanted) {
  return is_root || std::all_of(wanted.begin(), wanted.end(), [&](uint32_t id) {
           return id == keep || std::find(have.begin(), have.end(), id) != have.end();
         });
}

long set_ids(bool is_root, uint32_t& real, uint32_t& effective, uint32_t& saved, std::array<uint32_t, 3> to) {
  if (!may_take(is_root, {real, effective, saved}, {to[0], to[1], to[2]})) return -EPERM;
  if (to[0] != keep) real = to[0];
  if (to[1] != keep) effective = to[1];
  if (to[2] != keep) saved = to[2];
  return 0;
}

uint32_t low(uint64_t value) { return static_cast<uint32_t>(value); }

// setreuid(2): the saved id follows the effective one when the real one is set, or another than it is.
uint32_t saved_after(uint32_t real, uint32_t to_real, uint32_t to_effective) {
  const bool changes = to_real != keep || (to_effective != keep && to_effective != real);
  return changes ? to_effective : keep;
}

long set_limit(Call& c, task::Process& of, uint64_t resource, const rlimit& wanted) {
  rlimit& now = of.limits[resource];
  if (wanted.rlim_cur > wanted.rlim_max) return -EINVAL;
  if (wanted.rlim_max > now.rlim_max && c.process.credentials.euid != 0) return -EPERM;
  now = wanted;
  if (resource == RLIMIT_NOFILE) of.files->numbers().set_limit(wanted.rlim_cur);
  return 0;
}

}  // namespace

long sys_getuid(Call& c) { return c.process.credentials.uid; }
long sys_geteuid(Call& c) { return c.process.credentials.euid; }
long sys_getgid(Call& c) { return c.process.credentials.gid; }
long sys_getegid(Call& c) { return c.process.credentials.egid; }

long sys_getresuid(Call& c) {
  const task::Credentials& who = c.process.credentials;
  return put(c.a, who.uid) && put(c.b, who.euid) && put(c.c, who.saved_uid) ? 0 : -EFAULT;
}
long sys_getresgid(Call& c) {
  const task::Credentials& who = c.process.credentials;
  return put(c.a, who.gid) && put(c.b, who.egid) && put(c.c, who.saved_gid) ? 0 : -EFAULT;
}

long sys_setuid(Call& c) {
  task::Credentials& who = c.process.credentials;
  const uint32_t id = low(c.a);
  const bool is_root = who.euid == 0;
  return set_ids(is_root, who.uid, who.euid, who.saved_uid, {is_root ? id : keep, id, is_root ? id : keep});
}
long sys_setgid(Call& c) {
  task::Credentials& who = c.process.credentials;
  const uint32_t id = low(c.a);
  const bool is_root = who.euid == 0;
  return set_ids(is_root, who.gid, who.egid, who.saved_gid, {is_root ? id : keep, id, is_root ? id : keep});
}
long sys_setreuid(Call& c) {
  task::Credentials& who = c.process.credentials;
  const uint32_t saved = saved_after(who.uid, low(c.a), low(c.b));
  return set_ids(who.euid == 0, who.uid, who.euid, who.saved_uid, {low(c.a), low(c.b), saved});
}
long sys_setregid(Call& c) {
  task::Credentials& who = c.process.credentials;
  const uint32_t saved = saved_after(who.gid, low(c.a), low(c.b));
  return set_ids(who.euid == 0, who.gid, who.egid, who.saved_gid, {low(c.a), low(c.b), saved});
}
long sys_setresuid(Call& c) {
  task::Credentials& who = c.process.credentials;
  return set_ids(who.euid == 0, who.uid, who.euid, who.saved_uid, {low(c.a), low(c.b), low(c.c)});
}
long sys_setresgid(Call& c) {
  task::Credentials& who = c.process.credentials;
  return set_ids(who.euid == 0, who.gid, who.egid, who.saved_gid, {low(c.a), low(c.b), low(c.c)});
}

long sys_getgroups(Call& c) {
  const auto& groups = c.process.credentials.groups;
  const auto room = static_cast<int>(c.a);
  if (room < 0) return -EINVAL;
  if (room == 0) return static_cast<long>(groups.size());
  if (static_cast<size_t>(room) < groups.size()) return -EINVAL;
  const size_t size = groups.size() * sizeof(gid_t);
  if (size != 0 && osp_user_copy(Call::pointer<void>(c.b), groups.data(), size) != 0) return -EFAULT;
  return static_cast<long>(groups.size());
}

long sys_setgroups(Call& c) {
  constexpr uint64_t most = 65536;  // NGROUPS_MAX
  if (c.process.credentials.euid != 0) return -EPERM;
  if (c.a > most) return -EINVAL;
  std::vector<gid_t> groups(c.a);
  if (c.a != 0 && osp_user_copy(groups.data(), Call::pointer<void>(c.b), c.a * sizeof(gid_t)) != 0) return -EFAULT;
  c.process.credentials.groups = std::move(groups);
  return 0;
}

// Root has them all, others none.
long sys_capget(Call& c) {
  __user_cap_header_struct header = {};
  if (!get(c.a, header)) return -EFAULT;
  if (header.version != _LINUX_CAPABILITY_VERSION_3) {
    header.version = _LINUX_CAPABILITY_VERSION_3;
    return !put(c.a, header) ? -EFAULT : c.b == 0 ? 0 : -EINVAL;
  }
  if (c.b == 0) return 0;
  constexpr uint64_t every = (uint64_t{1} << (CAP_LAST_CAP + 1)) - 1;
  const uint64_t set = c.process.credentials.euid == 0 ? every : 0;
  std::array<__user_cap_data_struct, 2> data = {};
  data[0] = {low(set), low(set), 0};
  data[1] = {low(set >> 32), low(set >> 32), 0};
  return put(c.b, data) ? 0 : -EFAULT;
}

long sys_prlimit64(Call& c) {
  if (c.b >= RLIM_NLIMITS) return -EINVAL;
  const auto pid = static_cast<int>(c.a);
  Member* member = pid == 0 ? &Processes::of(c.process).member(c.process) : Processes::of(c.process).find(pid);
  if (member == nullptr || member->is_zombie()) return -ESRCH;
  const rlimit old = member->process->limits[c.b];
  rlimit wanted = {};
  if (c.c != 0 && !get(c.c, wanted)) return -EFAULT;
  if (c.c != 0)
    if (const long error = set_limit(c, *member->process, c.b, wanted); error != 0) return error;
  return c.d == 0 || put(c.d, old) ? 0 : -EFAULT;
}

long sys_getrlimit(Call& c) {
  if (c.a >= RLIM_NLIMITS) return -EINVAL;
  return put(c.b, c.process.limits[c.a]) ? 0 : -EFAULT;
}

long sys_setrlimit(Call& c) {
  rlimit wanted = {};
  if (c.a >= RLIM_NLIMITS) return -EINVAL;
  return get(c.b, wanted) ? set_limit(c, c.process, c.a, wanted) : -EFAULT;
}

long sys_uname(Call& c) {
  utsname names = {};
  const auto copy = [](char* to, std::string_view text) { std::memcpy(to, text.data(), text.size()); };
  copy(names.sysname, "Linux"), copy(names.nodename, machine().hostname);
  copy(names.release, "6.1.0-osprey"), copy(names.version, "#1 SMP Osprey " OSP_VERSION);
  copy(names.machine, "x86_64"), copy(names.domainname, "(none)");
  return put(c.a, names) ? 0 : -EFAULT;
}

long sys_sethostname(Call& c) {
  constexpr uint64_t most = 64;
  if (c.process.credentials.euid != 0) return -EPERM;
  if (c.b > most) return -EINVAL;
  std::string name(c.b, '\0');
  if (c.b != 0 && osp_user_copy(name.data(), Call::pointer<void>(c.a), c.b) != 0) return -EFAULT;
  machine().hostname = std::move(name);
  return 0;
}

long sys_sysinfo(Call& c) {
  struct sysinfo info = {};
  info.uptime = static_cast<long>(task::host_now_ns() / 1'000'000'000);
  info.totalram = machine().memory;
  info.freeram = memory::Space::use().free;
  info.procs = static_cast<unsigned short>(Processes::of(c.process).all().size());
  info.mem_unit = 1;
  return put(c.a, info) ? 0 : -EFAULT;
}

// One worker runs all.
long sys_sched_getaffinity(Call& c) {
  constexpr uint64_t size = 8;
  if (c.b < size || c.b % size != 0) return -EINVAL;
  return put(c.c, uint64_t{1}) ? static_cast<long>(size) : -EFAULT;
}

long sys_getcpu(Call& c) {
  const bool good = (c.a == 0 || put(c.a, uint32_t{0})) && (c.b == 0 || put(c.b, uint32_t{0}));
  return good ? 0 : -EFAULT;
}

// Advice to a scheduler that has one class as yet.
long sys_sched_setaffinity(Call&) { return 0; }
long sys_sched_getscheduler(Call&) { return SCHED_OTHER; }
long sys_sched_getparam(Call& c) { return put(c.b, sched_param{}) ? 0 : -EFAULT; }
long sys_sched_setscheduler(Call& c) { return c.b == SCHED_OTHER ? 0 : -EPERM; }
long sys_sched_priority(Call& c) {
  const bool real_time = c.a == SCHED_FIFO || c.a == SCHED_RR;
  return !real_time ? 0 : c.nr == SYS_sched_get_priority_max ? 99 : 1;
}
long sys_membarrier(Call& c) {
  constexpr uint64_t query = 0, all_private = 0x3f;  // one worker: what the commands order is in order
  return c.a == query ? static_cast<long>(all_private) : 0;
}

long sys_times(Call& c) {
  constexpr int64_t tick_ns = 10'000'000;
  const auto now = static_cast<int64_t>(task::host_now_ns());
  struct {
    long user, system, children_user, children_system;
  } ticks = {};
  ticks.user = c.process.scheduler.processor_time_ns(c.process) / tick_ns;
  const timeval& children = Processes::of(c.process).member(c.process).usage.ru_utime;
  ticks.children_user = (children.tv_sec * 1'000'000'000 + children.tv_usec * 1000) / tick_ns;
  return c.a == 0 || put(c.a, ticks) ? now / tick_ns : -EFAULT;
}

long sys_getrusage(Call& c) {
  rusage usage = {};
  if (static_cast<int>(c.a) == RUSAGE_CHILDREN) {
    usage = Processes::of(c.process).member(c.process).usage;
  } else {
    usage = usage_of(c.process);
  }
  return put(c.b, usage) ? 0 : -EFAULT;
}

}  // namespace osp::native
