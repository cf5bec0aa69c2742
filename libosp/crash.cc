#include "libosp/crash.h"

#include <fmt/format.h>
#include <libunwind.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "base/log.h"
#include "base/raw_syscall.h"
#include "libosp/host/window.h"
#include "libosp/task/process.h"
#include "libosp/trap/raw_handler.h"

namespace osp {
namespace {

constexpr int most_frames = 48;

void print_frame(int depth, unw_cursor_t& cursor) {
  unw_word_t ip = 0, offset = 0;
  char name[256] = "?";
  unw_get_reg(&cursor, UNW_REG_IP, &ip);
  unw_get_proc_name(&cursor, name, sizeof name, &offset);
  log::error("crash", "  #{} {:#x} (osp-core+{:#x}) {}+{:#x}", depth, ip, ip - window::image, name, offset);
}

// Stacks are unwound from registers, so of other fibers too.
void print_stack(uint64_t ip, uint64_t sp, uint64_t bp) {
  unw_context_t context;
  unw_cursor_t cursor;
  unw_getcontext(&context);
  if (unw_init_local(&cursor, &context) != 0) return;
  unw_set_reg(&cursor, UNW_X86_64_RSP, sp);
  unw_set_reg(&cursor, UNW_X86_64_RBP, bp);
  unw_set_reg(&cursor, UNW_REG_IP, ip);
  for (int depth = 0; depth < most_frames; ++depth) {
    print_frame(depth, cursor);
    if (unw_step(&cursor) <= 0) break;
  }
}

void report(int signo, const siginfo_t& info, void* data) {
  static bool reporting = false;
  if (reporting) raw::syscall(SYS_exit_group, 125);
  reporting = true;
  trap::install_disposition(SIGSEGV, false);
  const uint64_t fs = trap::worker().core_fs;
  asm volatile("wrfsbase %0" : : "r"(fs));
  auto* context = static_cast<ucontext_t*>(data);
  const greg_t* g = context->uc_mcontext.gregs;
  log::error("crash", "the core of process {} failed: SIG{} at {:#x}, address {}; please report this with what follows",
             raw::getpid(), sigabbrev_np(signo), g[REG_RIP], info.si_addr);
  if (const task::Thread* thread = task::process().scheduler.current(); thread != nullptr)
    log::error("crash", "thread {} in call {} from {:#x}", thread->tid, static_cast<long>(thread->regs.orig_rax),
               thread->regs.rip);
  print_stack(static_cast<uint64_t>(g[REG_RIP]), static_cast<uint64_t>(g[REG_RSP]), static_cast<uint64_t>(g[REG_RBP]));
  trap::install_disposition(SIGABRT, false);
  const uint64_t none = 0;
  raw::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, 0, 8);
  raw::syscall(SYS_kill, raw::getpid(), SIGABRT);
  raw::syscall(SYS_exit_group, 125);
}

}  // namespace

void install_crash_report() { trap::set_fault_reporter(&report); }

}  // namespace osp
