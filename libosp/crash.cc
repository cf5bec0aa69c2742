#include "libosp/crash.h"

#include <fmt/format.h>
#include <libunwind.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include <cstring>

#include "base/log.h"
#include "base/raw_syscall.h"
#include "libosp/crash_names.h"
#include "libosp/host/window.h"
#include "libosp/linux/table.h"
#include "libosp/task/process.h"
#include "libosp/trap/raw_handler.h"

namespace osp {
namespace {

constexpr int most_frames = 48;

[[gnu::section(".bss.sparse")]] char core_file[4096];

void print_frame(const CoreSymbols& symbols, int depth, uint64_t ip) {
  // What a frame waits for may be the last thing in its function.
  const auto found = symbols.find(ip - (depth > 0 ? 1 : 0));
  char text[512];
  const std::string_view name = found ? readable_name(found->name, text, sizeof text) : "?";
  const uint64_t offset = found ? found->offset + (depth > 0 ? 1 : 0) : 0;
  log::error("crash", "  #{} {:#x} (osp-core+{:#x}) {}+{:#x}", depth, ip, ip - window::image, name, offset);
}

// Stacks are unwound from registers, so of other fibers too.
void print_stack(const CoreSymbols& symbols, uint64_t ip, uint64_t sp, uint64_t bp) {
  int depth = 0;
  if (!window::contains(ip) && window::contains(sp)) {  // a call that led nowhere: its caller is on the stack
    print_frame(symbols, depth++, ip);
    ip = *reinterpret_cast<const uint64_t*>(sp);
    sp += sizeof ip;
  }
  unw_context_t context;
  unw_cursor_t cursor;
  unw_getcontext(&context);
  if (unw_init_local(&cursor, &context) != 0) return;
  unw_set_reg(&cursor, UNW_X86_64_RSP, sp);
  unw_set_reg(&cursor, UNW_X86_64_RBP, bp);
  unw_set_reg(&cursor, UNW_REG_IP, ip);
  do {
    unw_word_t at = 0;
    unw_get_reg(&cursor, UNW_REG_IP, &at);
    print_frame(symbols, depth++, at);
  } while (depth < most_frames && unw_step(&cursor) > 0);
}

void print_thread(const task::Thread& thread) {
  const char* call = linux::entry(static_cast<long>(thread.regs.orig_rax)).name;
  log::error("crash", "thread {} ({}) in {} from {:#x}", thread.tid, thread.name.data(),
             call != nullptr ? call : "no call", thread.regs.rip);
}

void print_others(const CoreSymbols& symbols, const task::Thread* failed) {
  for (const auto& thread : task::process().threads) {
    if (thread.get() == failed) continue;
    print_thread(*thread);
    const task::Thread::Place& at = thread->switched_at;
    if (at.ip != 0) print_stack(symbols, at.ip, at.sp, at.bp);
  }
}

void report(int signo, const siginfo_t& info, const long long* g) {
  static bool reporting = false;
  if (reporting) raw::syscall(SYS_exit_group, 125);
  reporting = true;
  trap::install_disposition(SIGSEGV, false);
  log::error("crash", "the core of process {} failed: SIG{} at {:#x}, address {}; please report this with what follows",
             raw::getpid(), sigabbrev_np(signo), g[REG_RIP], info.si_addr);
  const CoreSymbols symbols(*core_file != '\0' ? core_file : nullptr);
  const task::Thread* const thread = task::process().scheduler.current();
  if (thread != nullptr) print_thread(*thread);
  print_stack(symbols, static_cast<uint64_t>(g[REG_RIP]), static_cast<uint64_t>(g[REG_RSP]),
              static_cast<uint64_t>(g[REG_RBP]));
  print_others(symbols, thread);
  trap::install_disposition(SIGABRT, false);
  const uint64_t none = 0;
  raw::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, 0, 8);
  raw::syscall(SYS_kill, raw::getpid(), SIGABRT);
  raw::syscall(SYS_exit_group, 125);
}

}  // namespace

void install_crash_report(const char* core_path) {
  if (core_path != nullptr) std::strncpy(core_file, core_path, sizeof core_file - 1);
  trap::set_fault_reporter(&report);
}

}  // namespace osp

// Linked in the place of abort() (CMakeLists.txt): a fault, which is reported.
extern "C" [[noreturn]] void __wrap_abort() { __builtin_trap(); }
