// seccomp(2), and prctl(2)'s older form of it. The core itself keeps what the program has confined itself to.
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>

#include "libosp/host/side.h"
#include "libosp/linux/calls.h"
#include "libosp/patch/site_patcher.h"
#include "libosp/seccomp/filter.h"

namespace osp::linux {
namespace {

using seccomp::Filter;

constexpr std::array<uint32_t, 7> actions = {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP,
                                             SECCOMP_RET_ERRNO,        SECCOMP_RET_TRACE,       SECCOMP_RET_LOG,
                                             SECCOMP_RET_ALLOW};

// Of SECCOMP_FILTER_FLAG_*; SPEC_ALLOW and LOG change nothing here.
constexpr uint64_t known_flags = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW |
                                 SECCOMP_FILTER_FLAG_TSYNC_ESRCH;

bool is_administrator() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> sets = {};
  if (raw::syscall(SYS_capget, &header, sets.data()) < 0) return false;
  return (sets[CAP_SYS_ADMIN / 32].effective & (1U << CAP_SYS_ADMIN % 32)) != 0;
}

bool may_confine() { return raw::syscall(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 || is_administrator(); }

long confine_strictly(Call& c) {
  if (c.thread.seccomp.mode == SECCOMP_MODE_FILTER) return -EINVAL;
  c.thread.seccomp.mode = SECCOMP_MODE_STRICT;
  c.process.patcher->leave();
  return 0;
}

// A thread that could not take the caller's filter in place of its own; null: all can.
const task::Thread* find_other(const Call& c) {
  const auto differs = [&](const auto& thread) {
    const seccomp::State& its = thread->seccomp;
    if (its.mode == SECCOMP_MODE_DISABLED) return false;
    return its.mode != SECCOMP_MODE_FILTER || !its.filter->is_below(c.thread.seccomp.filter.get());
  };
  const auto found = std::find_if(c.process.threads.begin(), c.process.threads.end(), differs);
  return found == c.process.threads.end() ? nullptr : found->get();
}

Result<std::shared_ptr<const Filter>> make_filter(const Call& c, uint64_t address) {
  sock_fprog given = {};
  if (!get(address, given)) return fail(EFAULT);
  if (given.len == 0 || given.len > BPF_MAXINSNS) return fail(EINVAL);
  if (!may_confine()) return fail(EACCES);
  if (given.filter == nullptr) return fail(EINVAL);
  std::vector<sock_filter> program(given.len);
  if (osp_user_copy(program.data(), given.filter, program.size() * sizeof(sock_filter)) != 0) return fail(EFAULT);
  return Filter::make(program, c.thread.seccomp.filter);
}

long confine_by_filter(Call& c, uint64_t flags, uint64_t address) {
  if ((flags & ~known_flags) != 0) return -EINVAL;
  auto made = make_filter(c, address);
  if (!made) return -made.error().code;
  if (c.thread.seccomp.mode == SECCOMP_MODE_STRICT) return -EINVAL;
  if ((*made)->weight() > seccomp::most_weight) return -ENOMEM;
  const bool all = (flags & SECCOMP_FILTER_FLAG_TSYNC) != 0;
  if (const task::Thread* other = all ? find_other(c) : nullptr; other != nullptr)
    return (flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH) != 0 ? -ESRCH : other->tid;
  if (all) task::workers().stop_the_world();  // what others may call is judged anew
  c.thread.seccomp = {SECCOMP_MODE_FILTER, std::move(*made)};
  c.process.patcher->leave();
  if (all)
    for (const auto& thread : c.process.threads) thread->seccomp = c.thread.seccomp;
  return 0;
}

}  // namespace

long sys_seccomp(Call& c) {
  if (host::is_native()) return -ENOSYS;
  const auto flags = static_cast<uint32_t>(c.b);
  switch (c.a) {
    case SECCOMP_SET_MODE_STRICT:
      return flags != 0 || c.c != 0 ? -EINVAL : confine_strictly(c);
    case SECCOMP_SET_MODE_FILTER:
      return confine_by_filter(c, flags, c.c);
    case SECCOMP_GET_ACTION_AVAIL: {
      uint32_t action = 0;
      if (flags != 0) return -EINVAL;
      if (!get(c.c, action)) return -EFAULT;
      return std::find(actions.begin(), actions.end(), action) != actions.end() ? 0 : -EOPNOTSUPP;
    }
    case SECCOMP_GET_NOTIF_SIZES: {
      constexpr seccomp_notif_sizes sizes = {sizeof(seccomp_notif), sizeof(seccomp_notif_resp), sizeof(seccomp_data)};
      if (flags != 0) return -EINVAL;
      return put(c.c, sizes) ? 0 : -EFAULT;
    }
    default:
      return -EINVAL;
  }
}

long prctl_seccomp(Call& c) {
  if (c.a == PR_GET_SECCOMP) return c.thread.seccomp.mode != 0 ? c.thread.seccomp.mode : forward(c);
  if (c.b == SECCOMP_MODE_STRICT) return confine_strictly(c);
  return c.b == SECCOMP_MODE_FILTER ? confine_by_filter(c, 0, c.c) : -EINVAL;
}

}  // namespace osp::linux
