// What confines a process on the host: its name spaces (namespaces(7)), Landlock. They are a host thread's, so a
// program must not have threads yet: those that come later are begun by that one, and have what it has.
#include <linux/sched.h>

#include "libosp/file/opener.h"
#include "libosp/host/side.h"
#include "libosp/linux/calls.h"
#include "libosp/patch/site_patcher.h"

namespace osp::linux {
namespace {

long alone(Call& c) { return c.process.owns_worker() && task::workers().is_one() ? forward(c) : -EPERM; }

// What it can write to, others outside must not execute.
long confine(Call& c) {
  const long result = alone(c);
  if (result >= 0) c.process.patcher->leave();
  return result;
}

}  // namespace

// CLONE_FS and CLONE_FILES of a single thread change nothing.
long sys_unshare(Call& c) {
  constexpr uint64_t harmless = CLONE_FS | CLONE_FILES | CLONE_SYSVSEM;
  if ((c.a & ~harmless) == 0) return c.process.single_threaded() ? 0 : -EINVAL;
  return confine(c);
}

long sys_setns(Call& c) { return confine(c); }

long sys_landlock_restrict_self(Call& c) {
  const long result = confine(c);
  if (result >= 0) file::let_host_judge_programs();
  return result;
}

}  // namespace osp::linux
