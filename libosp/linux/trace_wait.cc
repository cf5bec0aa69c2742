#include <sys/resource.h>
#include <sys/wait.h>

#include "libosp/linux/trace_calls.h"
#include "libosp/ptrace/tracer.h"
#include "libosp/signal/deliver.h"

namespace osp::linux {
namespace {

// How often it is looked whether tracees that are not our children have been killed, which nobody tells.
constexpr uint64_t patience_ns = 50'000'000;
// For how long a look without waiting awaits the end of one that leaves: a debugger that finds its first thread to be a
// zombie, and nothing more to be told, takes it that there are no tracees left.
constexpr uint64_t leaving_ns = 1'000'000;
constexpr int most_looks = 200;

// Asks the tracees by `from_tracees` and the host by `from_host` in turn, until one has an answer (not 0).
template <class Tracees, class Host>
long wait_for_either(Call& c, int wanted, bool no_wait, Tracees&& from_tracees, Host&& from_host) {
  for (int looks = 0;; ++looks) {
    const uint64_t seen = c.process.child_changes();
    if (const long result = from_tracees(); result != 0) return result;
    const long result = from_host();
    if (result != 0 && (result != -ECHILD || !ptrace::has_tracees(c.process, wanted))) return result;
    ptrace::find_killed(c.process);
    if (c.process.child_changes() != seen) continue;
    const bool must_look = no_wait && looks < most_looks && ptrace::is_leaving(c.process, wanted);
    if (no_wait && !must_look) return from_tracees();
    const uint64_t until = task::host_now_ns() + (no_wait ? leaving_ns : patience_ns);
    if (ptrace::await_report(c.thread, seen, until) == task::Wake::signal) return no_wait ? 0 : long{task::restart_sys};
  }
}

bool is_end(int status) { return WIFEXITED(status) || WIFSIGNALED(status); }

// The number of waitid(2) as wait4(2) has it.
int selector(uint64_t type, uint64_t id) {
  if (type == P_ALL) return -1;
  if (type == P_PID) return static_cast<int>(id);
  return type == P_PGID && id != 0 ? -static_cast<int>(id) : 0;
}

siginfo_t info_of(const ptrace::Found& found) {
  siginfo_t info = signal::make_info(SIGCHLD, WIFSTOPPED(found.status)    ? CLD_TRAPPED
                                              : WIFSIGNALED(found.status) ? CLD_KILLED
                                                                          : CLD_EXITED);
  info.si_pid = found.tid;
  info.si_status = WIFSTOPPED(found.status)    ? found.status >> 8
                   : WIFSIGNALED(found.status) ? WTERMSIG(found.status)
                                               : WEXITSTATUS(found.status);
  return info;
}

}  // namespace

long wait4_as_tracer(Call& c) {
  const auto wanted = static_cast<int>(c.a);
  const rusage none = {};
  const auto from_tracees = [&]() -> long {
    const auto found = ptrace::take_report(c.process, wanted, false);
    if (!found) return 0;
    if ((c.b != 0 && !put(c.b, found->status)) || (c.d != 0 && !put(c.d, none))) return -EFAULT;
    return found->tid;
  };
  const auto from_host = [&]() -> long {
    int status = 0;
    const long result = raw::syscall(SYS_wait4, c.a, &status, c.c | WNOHANG, c.d);
    if (result <= 0) return result;
    if (is_end(status)) ptrace::forget_process(static_cast<int>(result), status);
    return c.b == 0 || put(c.b, status) ? result : -EFAULT;
  };
  return wait_for_either(c, wanted, (c.c & WNOHANG) != 0, from_tracees, from_host);
}

long waitid_as_tracer(Call& c) {
  const int wanted = selector(c.a, c.b);
  const bool keep = (c.d & WNOWAIT) != 0;
  siginfo_t info = {};
  const auto from_tracees = [&]() -> long {
    const auto found = ptrace::take_report(c.process, wanted, keep);
    if (!found) return 0;
    info = info_of(*found);
    return 1;
  };
  const auto from_host = [&]() -> long {
    const long result = raw::syscall(SYS_waitid, c.a, c.b, &info, c.d | WNOHANG, c.e);
    if (result < 0) return result;
    if (info.si_pid == 0) return 0;
    const bool ended = info.si_code == CLD_EXITED || info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED;
    const int status = info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0) : info.si_status;
    if (ended && !keep) ptrace::forget_process(info.si_pid, status);
    return 1;
  };
  const long result = wait_for_either(c, wanted, (c.d & WNOHANG) != 0, from_tracees, from_host);
  if (result < 0) return result;
  return c.c == 0 || put(c.c, info) ? 0 : -EFAULT;
}

}  // namespace osp::linux
