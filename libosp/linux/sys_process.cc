// Processes and threads: clone(2), wait4(2), exit(2), and who one is.
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "libosp/host/side.h"
#include "libosp/linux/calls.h"
#include "libosp/linux/trace_calls.h"
#include "libosp/patch/site_patcher.h"
#include "libosp/ptrace/tracee.h"
#include "libosp/signal/deliver.h"
#include "libosp/task/exec.h"
#include "libosp/task/fork.h"
#include "libosp/task/thread_name.h"
#include "libosp/task/worker.h"
#include "libosp/trap/raw_handler.h"

namespace osp::linux {
namespace {

constexpr uint64_t thread_flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
constexpr uint64_t namespaces =
    CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP;

struct CloneArguments {
  uint64_t flags, stack, parent_tid, child_tid, tls, pidfd;
  std::optional<int> cgroup = {};
  std::span<const pid_t> pids = {};
};

bool has_bad_tls(const CloneArguments& args) { return (args.flags & CLONE_SETTLS) != 0 && args.tls >= program_end; }

long clone_thread(Call& c, const CloneArguments& args) {
  if (has_bad_tls(args)) return -EPERM;
  task::NewThread wanted;
  wanted.stack = args.stack;
  wanted.set_tls = (args.flags & CLONE_SETTLS) != 0;
  wanted.tls = args.tls;
  if ((args.flags & CLONE_PARENT_SETTID) != 0) wanted.parent_tid = args.parent_tid;
  if ((args.flags & CLONE_CHILD_SETTID) != 0) wanted.child_tid = args.child_tid;
  if ((args.flags & CLONE_CHILD_CLEARTID) != 0) wanted.clear_child_tid = args.child_tid;
  return task::make_thread(c.thread, wanted);
}

long clone_process(Call& c, const CloneArguments& args) {
  const bool vfork = (args.flags & CLONE_VFORK) != 0;
  if ((args.flags & CLONE_VM) != 0 && !vfork) return -ENOSYS;  // docs/caveats.md
  if ((args.flags & (CLONE_SIGHAND | CLONE_FILES)) != 0) return -EINVAL;
  if (has_bad_tls(args)) return -EPERM;
  if (int none = 0; (args.flags & CLONE_PIDFD) != 0 && (!get(args.pidfd, none) || !put(args.pidfd, none)))
    return -EFAULT;
  task::NewProcess wanted{.vfork = vfork,
                          .shares_memory = (args.flags & CLONE_VM) != 0,
                          .flags = args.flags & (namespaces | CLONE_PARENT | CLONE_PIDFD | CSIGNAL),
                          .cgroup = args.cgroup,
                          .pids = args.pids};
  const long child = task::fork_process(c.thread, wanted);
  if (child > 0 && (args.flags & CLONE_PIDFD) != 0) put(args.pidfd, wanted.pidfd);
  if (child > 0 && (args.flags & CLONE_PARENT_SETTID) != 0) put(args.parent_tid, static_cast<int>(child));
  if (child != 0) return child;
  if ((args.flags & namespaces) != 0) c.process.patcher->leave();
  if ((args.flags & CLONE_CLEAR_SIGHAND) != 0) signal::clear_handlers(c.process);
  if (args.stack != 0) c.thread.regs.rsp = args.stack;
  if ((args.flags & CLONE_SETTLS) != 0) c.thread.regs.fs_base = args.tls;
  if ((args.flags & CLONE_CHILD_SETTID) != 0) put(args.child_tid, c.thread.tid);
  c.thread.clear_child_tid = (args.flags & CLONE_CHILD_CLEARTID) != 0 ? args.child_tid : 0;
  if ((args.flags & CLONE_PARENT_SETTID) != 0 && (args.flags & CLONE_VM) != 0) put(args.parent_tid, c.thread.tid);
  c.thread.robust_list = 0;
  return 0;
}

void end_thread(Call& c, int status) {
  c.process.exit_status = W_EXITCODE(status & 0xff, 0);
  if (!c.process.single_threaded()) ptrace::exits(c.thread, c.process.exit_status);
  if (c.process.single_threaded()) c.process.end(c.process.exit_status);
  c.thread.exiting = true;
}

}  // namespace

long sys_clone(Call& c) {
  const CloneArguments args = {static_cast<uint32_t>(c.a), c.b, c.c, c.d, c.e, c.c};
  constexpr uint64_t pidfd_and_tid = CLONE_PIDFD | CLONE_PARENT_SETTID;  // clone(2) has one place for both
  if ((args.flags & pidfd_and_tid) == pidfd_and_tid) return -EINVAL;
  const uint64_t shared = args.flags & (CLONE_VM | CLONE_THREAD | CLONE_SIGHAND);
  if (shared == (CLONE_VM | CLONE_THREAD | CLONE_SIGHAND)) {
    return (args.flags & thread_flags) == thread_flags ? clone_thread(c, args) : -EINVAL;
  }
  if ((args.flags & CLONE_THREAD) != 0) return -EINVAL;
  return clone_process(c, args);
}

namespace {

// What a program that knows more than we do says behind what we know: nothing, or it is refused.
long rest_is_zero(uint64_t address, uint64_t size) {
  for (uint64_t at = sizeof(clone_args); at < size; ++at) {
    char byte = 0;
    if (!get(address + at, byte)) return -EFAULT;
    if (byte != 0) return -E2BIG;
  }
  return 0;
}

// set_tid: the pids that the process shall have, in its pid name space and in those around it.
using Pids = std::array<pid_t, 32>;  // MAX_PID_NS_LEVEL
long get_pids(const clone_args& given, Pids& pids) {
  if (given.set_tid_size > pids.size() || (given.set_tid == 0) != (given.set_tid_size == 0)) return -EINVAL;
  const bool is_hosts = given.set_tid_size != 0 || (given.flags & CLONE_INTO_CGROUP) != 0;
  if (is_hosts && (given.flags & CLONE_THREAD) != 0) return -EPERM;  // threads have no number on the host
  const size_t size = given.set_tid_size * sizeof(pid_t);
  return osp_user_copy(pids.data(), Call::pointer<void>(given.set_tid), size) == 0 ? 0 : -EFAULT;
}

// Of flags that contradict each other; what clone_process() refuses is not among them.
bool is_possible(const clone_args& given) {
  const auto has = [&given](uint64_t flags) { return (given.flags & flags) == flags; };
  const bool is_thread = has(CLONE_THREAD);
  constexpr uint64_t known = 0xffff'ffff | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP;
  if ((given.flags & ~known) != 0 || has(CLONE_FS | CLONE_NEWUSER)) return false;
  if ((given.flags & (CLONE_DETACHED | CSIGNAL)) != 0 || given.exit_signal > signal::last_signal) return false;
  if ((is_thread || has(CLONE_PARENT)) && given.exit_signal != 0) return false;
  if (is_thread && ((given.flags & thread_flags) != thread_flags || has(CLONE_PIDFD))) return false;
  if (has(CLONE_INTO_CGROUP) && given.cgroup > INT_MAX) return false;
  if (has(CLONE_SIGHAND) && (!has(CLONE_VM) || has(CLONE_CLEAR_SIGHAND))) return false;
  return !has(CLONE_FS | CLONE_NEWNS) && (given.stack == 0) == (given.stack_size == 0);
}

}  // namespace

long sys_clone3(Call& c) {
  clone_args given = {};
  if (c.b < CLONE_ARGS_SIZE_VER0) return -EINVAL;
  if (c.b > memory::page_size) return -E2BIG;
  if (osp_user_copy(&given, Call::pointer<void>(c.a), std::min<size_t>(c.b, sizeof given)) != 0) return -EFAULT;
  if (const long error = rest_is_zero(c.a, c.b); error != 0) return error;
  if (!is_possible(given)) return -EINVAL;
  if (host::is_native()) return -ENOSYS;
  Pids pids = {};
  if (const long error = get_pids(given, pids); error != 0) return error;
  const bool into_cgroup = (given.flags & CLONE_INTO_CGROUP) != 0;
  if (into_cgroup && c.b < CLONE_ARGS_SIZE_VER2) return -EINVAL;
  const CloneArguments args = {(given.flags & ~uint64_t{CLONE_INTO_CGROUP}) | given.exit_signal,
                               given.stack + given.stack_size,
                               given.parent_tid,
                               given.child_tid,
                               given.tls,
                               given.pidfd,
                               into_cgroup ? std::optional(static_cast<int>(given.cgroup)) : std::nullopt,
                               {pids.data(), given.set_tid_size}};
  return (given.flags & CLONE_THREAD) != 0 ? clone_thread(c, args) : clone_process(c, args);
}

static long fork_as(Call& c, bool vfork) {
  task::NewProcess wanted{.vfork = vfork};
  return task::fork_process(c.thread, wanted);
}
long sys_fork(Call& c) { return fork_as(c, false); }
long sys_vfork(Call& c) { return fork_as(c, true); }

long sys_exit(Call& c) {
  end_thread(c, static_cast<int>(c.a));
  return 0;
}

long sys_exit_group(Call& c) { c.process.end(W_EXITCODE(static_cast<int>(c.a) & 0xff, 0)); }

// With several threads the host must not be blocked: looked at again at each SIGCHLD.
long sys_wait4(Call& c) {
  c.process.collect_signals();
  if (ptrace::here().traces) return wait4_as_tracer(c);
  if (c.process.single_threaded() || (c.c & WNOHANG) != 0) return block_in_host(SYS_wait4, c.a, c.b, c.c, c.d);
  for (;;) {
    const uint64_t seen = c.process.child_changes();
    const long result = raw::syscall(SYS_wait4, c.a, c.b, c.c | WNOHANG, c.d);
    if (result != 0) return result;
    if (c.process.await_child(c.thread, seen) == task::Wake::signal) return task::restart_sys;
  }
}

long sys_waitid(Call& c) {
  c.process.collect_signals();
  if (ptrace::here().traces) return waitid_as_tracer(c);
  if (c.process.single_threaded() || (c.d & WNOHANG) != 0) return block_in_host(SYS_waitid, c.a, c.b, c.c, c.d, c.e);
  for (;;) {
    const uint64_t seen = c.process.child_changes();
    siginfo_t info = {};
    const long result = raw::syscall(SYS_waitid, c.a, c.b, &info, c.d | WNOHANG, c.e);
    if (result < 0) return result;
    if (info.si_pid != 0) return c.c == 0 || put(c.c, info) ? 0 : -EFAULT;
    if (c.process.await_child(c.thread, seen) == task::Wake::signal) return task::restart_sys;
  }
}

long sys_getpid(Call& c) { return c.process.pid; }
long sys_gettid(Call& c) { return c.thread.tid; }

long sys_set_tid_address(Call& c) {
  c.thread.clear_child_tid = c.a;
  return c.thread.tid;
}

// Calls whose first argument is a pid: our own number, as the program knows it, is the host's there.
long sys_first_pid(Call& c) { return raw::syscall(c.nr, is_own_id(c, c.a) ? 0 : c.a, c.b, c.c, c.d, c.e, c.f); }

long sys_perf_event_open(Call& c) { return raw::syscall(c.nr, c.a, is_own_id(c, c.b) ? 0 : c.b, c.c, c.d, c.e); }

long sys_arch_prctl(Call& c) {
  constexpr uint64_t set_gs = 0x1001, set_fs = 0x1002, get_fs = 0x1003, get_gs = 0x1004;
  switch (c.a) {
    case set_fs:
      if (c.b >= program_end) return -EPERM;
      c.thread.regs.fs_base = c.b;
      return 0;
    case get_fs:
      return put(c.b, c.thread.regs.fs_base) ? 0 : -EFAULT;
    case get_gs:
      return put(c.b, uint64_t{0}) ? 0 : -EFAULT;
    case set_gs:
      return c.b == 0 ? 0 : -EPERM;  // gs is the core's: docs/caveats.md
    case 0x1011:                     // ARCH_GET_CPUID, ARCH_SET_CPUID
    case 0x1012:
      return forward(c);
    default:
      return -EINVAL;
  }
}

namespace {

// PR_SET_TSC. Where the program may not read the processor's clock, the core may not by the host's vDSO.
long set_tsc(Call& c) {
  const auto read_by_call = [] {
    trap::worker().clock_refused = 1;
    trap::worker().fast.host_clock = nullptr;
  };
  if (host::is_native()) return -EINVAL;
  if (c.b == PR_TSC_SIGSEGV) {
    read_by_call();
    task::workers().everywhere(read_by_call);
  }
  return forward_everywhere(c);
}

}  // namespace

long sys_prctl(Call& c) {
  switch (c.a) {
    case PR_SET_NAME: {
      auto name = get_string(c.b, 4096);
      if (!name && name.error().code == EFAULT) return -EFAULT;
      task::name_thread(c.thread, name ? *name : std::string());
      return 0;
    }
    case PR_GET_NAME:
      return put(c.b, c.thread.name) ? 0 : -EFAULT;
    case PR_SET_PDEATHSIG:
    case PR_GET_PDEATHSIG:
    case PR_SET_DUMPABLE:
    case PR_GET_DUMPABLE:
    case PR_GET_KEEPCAPS:
    case PR_CAPBSET_READ:
    case PR_GET_SECUREBITS:
    case PR_GET_TIMERSLACK:
    case PR_SET_CHILD_SUBREAPER:
    case PR_GET_CHILD_SUBREAPER:
    case PR_GET_NO_NEW_PRIVS:
    case PR_SET_THP_DISABLE:
    case PR_GET_THP_DISABLE:
    case PR_GET_TSC:
    case PR_MCE_KILL_GET:
    case PR_GET_SPECULATION_CTRL:
      return forward(c);
    case PR_GET_SECCOMP:
    case PR_SET_SECCOMP:
      return prctl_seccomp(c);
    case PR_SET_KEEPCAPS:
    case PR_CAPBSET_DROP:
    case PR_SET_SECUREBITS:
    case PR_SET_TIMERSLACK:
    case PR_SET_NO_NEW_PRIVS:
    case PR_CAP_AMBIENT:
      return forward_everywhere(c);
    case PR_SET_TSC:
      return set_tsc(c);
    case PR_SET_VMA:
      return 0;  // names of anonymous memory: advice
    default:
      return -EINVAL;
  }
}

long sys_execve(Call& c) {
  auto path = get_string(c.a);
  if (!path) return -path.error().code;
  auto argv = get_strings(c.b);
  if (!argv) return -argv.error().code;
  auto envp = get_strings(c.c);
  if (!envp) return -envp.error().code;
  return task::execute(c.thread, AT_FDCWD, *path, std::move(*argv), std::move(*envp), 0);
}

long sys_execveat(Call& c) {
  auto path = get_string(c.b);
  if (!path) return -path.error().code;
  auto argv = get_strings(c.c);
  if (!argv) return -argv.error().code;
  auto envp = get_strings(c.d);
  if (!envp) return -envp.error().code;
  return task::execute(c.thread, static_cast<int>(c.a), *path, std::move(*argv), std::move(*envp),
                       static_cast<int>(c.e));
}

// glibc registers rseq at start when it can; door 1 answers that it cannot, door 2 has one already.
long sys_rseq(Call&) { return -ENOSYS; }

long sys_sched_yield(Call& c) {
  if (!c.process.owns_worker()) c.process.scheduler.yield(c.thread);
  return c.process.owns_worker() ? forward(c) : 0;
}

long sys_membarrier(Call& c) {
  // Registered and expedited forms order our threads on one worker by themselves.
  return forward(c);
}

}  // namespace osp::linux
