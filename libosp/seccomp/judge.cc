#include "libosp/seccomp/judge.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>

#include "base/log.h"
#include "libosp/seccomp/filter.h"
#include "libosp/signal/deliver.h"
#include "libosp/task/process.h"
#include "libosp/vdso/vdso.h"

namespace osp::seccomp {
namespace {

using task::Thread;

constexpr int from_filter = 1;  // SYS_SECCOMP of sigaction(2), which libc's headers lack
constexpr uint32_t most_errno = 4095;

// Linux reads the clocks for a program without a call, which so is none to be judged.
bool is_of_vdso(const Thread& thread) {
  const uintptr_t vdso = thread.process.program.vdso, rip = thread.regs.rip;
  return vdso != 0 && rip >= vdso && rip < vdso + vdso::mapped_size() && thread.regs.orig_rax != SYS_rt_sigreturn;
}

seccomp_data data_of(const trap::UserRegs& r) {
  return {static_cast<int>(r.orig_rax), AUDIT_ARCH_X86_64, r.rip, {r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9}};
}

siginfo_t info_of(const seccomp_data& data, uint32_t reason) {
  siginfo_t info = signal::make_info(SIGSYS, from_filter);
  info.si_errno = static_cast<int>(reason);
  info.si_call_addr = reinterpret_cast<void*>(data.instruction_pointer);
  info.si_syscall = data.nr;
  info.si_arch = data.arch;
  return info;
}

// The thread goes; the process with its last one.
long leave(Thread& thread, int signo) {
  log::info("seccomp", "system call {} is not allowed: the thread ends", thread.regs.orig_rax);
  if (thread.process.single_threaded()) thread.process.end(W_EXITCODE(0, signo));
  if (thread.tid == thread.process.pid) thread.process.exit_status = W_EXITCODE(0, signo);
  thread.exiting = true;
  return 0;
}

long trap(Thread& thread, const seccomp_data& data, uint32_t reason) {
  thread.regs.rax = thread.regs.orig_rax;
  signal::force(thread, info_of(data, reason));
  return task::call_was_replaced;
}

std::optional<long> judge_strictly(Thread& thread) {
  switch (thread.regs.orig_rax) {
    case SYS_read:
    case SYS_write:
    case SYS_exit:
    case SYS_rt_sigreturn:
      return std::nullopt;
    default:
      return leave(thread, SIGKILL);
  }
}

}  // namespace

std::optional<long> judge(Thread& thread) {
  if (is_of_vdso(thread)) return std::nullopt;
  if (thread.seccomp.mode == SECCOMP_MODE_STRICT) return judge_strictly(thread);
  const seccomp_data data = data_of(thread.regs);
  const uint32_t verdict = thread.seccomp.filter->run(data), reason = verdict & SECCOMP_RET_DATA;
  switch (verdict & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_LOG:
      log::info("seccomp", "system call {} of thread {}", data.nr, thread.tid);
      return std::nullopt;
    case SECCOMP_RET_ALLOW:
      return std::nullopt;
    case SECCOMP_RET_ERRNO:
      return -static_cast<long>(std::min(reason, most_errno));
    case SECCOMP_RET_TRACE:  // nobody traces
    case SECCOMP_RET_USER_NOTIF:
      return -ENOSYS;
    case SECCOMP_RET_TRAP:
      return trap(thread, data, reason);
    case SECCOMP_RET_KILL_THREAD:
      return leave(thread, SIGSYS);
    default:  // SECCOMP_RET_KILL_PROCESS, and whatever is none of them
      log::info("seccomp", "system call {} is not allowed: the process ends", data.nr);
      thread.process.end(W_EXITCODE(0, SIGSYS));
  }
}

}  // namespace osp::seccomp
