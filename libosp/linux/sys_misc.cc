// What fits no family: time in other forms, identity by other calls, and calls that the core answers.
#include <fcntl.h>
#include <linux/falloc.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <algorithm>
#include <limits>

#include "libosp/file/files.h"
#include "libosp/host/side.h"
#include "libosp/linux/calls.h"
#include "libosp/linux/clock.h"
#include "libosp/task/executed.h"
#include "libosp/task/worker.h"

namespace osp::linux {
long sys_gettimeofday(Call& c) { return forward(c); }
long sys_time(Call& c) { return forward(c); }

namespace {

bool is_child(int pid) {
  siginfo_t info = {};
  return pid > 0 && raw::syscall(SYS_waitid, P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT, 0) == 0;
}

}  // namespace

// A child that has called execve(2) is left alone, which the host does not see of itself.
long sys_setpgid(Call& c) {
  const auto child = static_cast<int>(c.a);
  if (child != c.process.pid && is_child(child) && task::child_has_executed(child) &&
      raw::syscall(SYS_getsid, child) == raw::syscall(SYS_getsid, 0) && static_cast<int>(c.b) >= 0)
    return -EACCES;
  const auto own = [&](uint64_t pid) { return static_cast<int>(pid) == c.process.pid ? 0 : pid; };
  return raw::syscall(SYS_setpgid, own(c.a), own(c.b));
}

// The host's exec is not used, so what a personality says of layouts moves nothing of the core's.
long sys_personality(Call& c) {
  constexpr uint32_t query = 0xffffffff;
  const auto wanted = static_cast<uint32_t>(c.a);
  if (!host::is_native()) return wanted == query ? forward(c) : forward_everywhere(c);
  return wanted == query || wanted == 0 ? 0 : -EINVAL;
}

// Who waits for a page that another thread gives keeps his worker: from now on each thread has one.
long sys_userfaultfd(Call& c) {
  const long fd = forward(c);
  if (fd >= 0) task::workers().set_most(std::numeric_limits<size_t>::max());
  return fd;
}

long sys_epoll_ctl(Call& c) {
  if (file::is_core_fd(static_cast<int>(c.c))) return -EBADF;
  return c.process.files->find(static_cast<int>(c.a)) != nullptr ? -EINVAL : forward(c);
}

long sys_pkey_mprotect(Call& c) {
  if (c.process.memory.is_sealed(c.a, c.b)) return -EPERM;
  const long result = forward(c);
  if (result == 0) return to_long(c.process.memory.record_protection(c.a, c.b, static_cast<int>(c.c)));
  return result;
}

long sys_fadvise(Call& c) { return c.process.files->find(static_cast<int>(c.a)) != nullptr ? 0 : forward(c); }

namespace {

// Servers are not asked for holes: what reads as one will do.
long allocate_served(Call& c, file::Description& file) {
  constexpr uint64_t known = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;
  const auto offset = static_cast<int64_t>(c.c), size = static_cast<int64_t>(c.d);
  if (offset < 0 || size <= 0) return -EINVAL;
  if ((c.b & ~known) != 0) return -EOPNOTSUPP;
  const bool punches = (c.b & FALLOC_FL_PUNCH_HOLE) != 0, keeps_size = (c.b & FALLOC_FL_KEEP_SIZE) != 0;
  if (punches && !keeps_size) return -EOPNOTSUPP;
  if (!file.is_writable()) return -EBADF;
  const auto now = file.stat();
  if (!now) return -now.error().code;
  const uint64_t end = c.c + c.d;
  if ((c.b & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0 && c.c < now->size)
    if (const long error = file.zero(c.c, std::min<uint64_t>(end, now->size)); error != 0) return error;
  return keeps_size || now->size >= end ? 0 : file.truncate(end);
}

}  // namespace

long sys_fallocate(Call& c) {
  file::Description* file = c.process.files->find(static_cast<int>(c.a));
  return file == nullptr ? forward_blocking(c) : allocate_served(c, *file);
}

}  // namespace osp::linux
