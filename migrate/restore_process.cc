// The process itself from an image: threads, signals, timers, limits, identity.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "base/raw_syscall.h"
#include "libosp/file/names.h"
#include "libosp/file/servers.h"
#include "libosp/signal/deliver.h"
#include "libosp/trap/raw_handler.h"
#include "libosp/trap/vector.h"
#include "migrate/restore_parts.h"
#include "namespace/ns_apply.h"

namespace osp::migrate {
namespace {

constexpr int64_t second_ns = 1'000'000'000;
constexpr size_t legacy_size = 512, header_size = 64, mxcsr_offset = 24;
constexpr uint64_t x87_and_sse = 3;
constexpr int most_timer_ids = 100'000;

timespec to_timespec(int64_t ns) { return {ns / second_ns, ns % second_ns}; }

void set_pending(const std::vector<PendingSignal>& saved, signal::Pending& pending) {
  for (const PendingSignal& one : saved) {
    siginfo_t info = {};
    std::memcpy(&info, one.info.data(), std::min(one.info.size(), sizeof info));
    info.si_signo = one.signal;
    pending.add(info);
  }
}

// What XRSTOR would fault on cannot come in: unknown components, reserved bits.
void set_vector(const Vector& saved, std::byte* area) {
  if (saved.format != VectorFormat::xsave && saved.format != VectorFormat::fxsave) return;
  std::memcpy(area, saved.data.data(), std::min(saved.data.size(), trap::vector::area_size()));
  uint64_t header[header_size / sizeof(uint64_t)] = {};
  if (saved.format == VectorFormat::xsave) std::memcpy(header, area + legacy_size, sizeof header[0]);
  header[0] = saved.format == VectorFormat::xsave ? (header[0] & trap::vector::components()) | 2 : x87_and_sse;
  std::memcpy(area + legacy_size, header, sizeof header);
  uint32_t mxcsr = 0;
  std::memcpy(&mxcsr, area + mxcsr_offset, sizeof mxcsr);
  mxcsr &= 0xffff;
  std::memcpy(area + mxcsr_offset, &mxcsr, sizeof mxcsr);
}

void set_registers(const Registers& from, trap::UserRegs& r) {
  constexpr uint64_t changeable = 0x244dd5;  // AC OF DF TF SF ZF AF PF CF RF
  r.r15 = from.r15, r.r14 = from.r14, r.r13 = from.r13, r.r12 = from.r12, r.rbp = from.rbp, r.rbx = from.rbx;
  r.r11 = from.r11, r.r10 = from.r10, r.r9 = from.r9, r.r8 = from.r8, r.rax = from.rax, r.rcx = from.rcx;
  r.rdx = from.rdx, r.rsi = from.rsi, r.rdi = from.rdi, r.rip = from.rip, r.rsp = from.rsp;
  r.flags = (from.rflags & changeable) | 0x202;
  r.fs_base = from.fs_base;
  r.orig_rax = from.rax;
  r.full = 1;
}

void make_thread(const Restore& restore, const Thread& saved) {
  task::Process& p = restore.process;
  auto made = std::make_unique<task::Thread>(p, saved.tid);
  set_registers(saved.registers, made->regs);
  set_vector(saved.vector, made->regs.vector);
  made->signals.mask = saved.signal_mask & ~signal::unblockable;
  if (saved.has_saved_mask) made->signals.saved_mask = saved.saved_mask;
  set_pending(saved.pending, made->signals.pending);
  made->signals.alternate = {reinterpret_cast<void*>(saved.alternate_stack.address), saved.alternate_stack.flags,
                             saved.alternate_stack.size};
  std::memcpy(made->name.data(), saved.name.data(), std::min<size_t>(saved.name.size(), 15));
  made->robust_list = saved.robust_list, made->robust_list_size = saved.robust_list_size;
  made->clear_child_tid = saved.clear_child_tid;
  if (saved.restart.number >= 0) {
    made->rewound_rip = saved.registers.rip;
    if (saved.restart.has_deadline)
      made->restart_deadline =
          static_cast<uint64_t>(std::max<int64_t>(1, saved.restart.deadline_ns - p.clock_offset_ns));
  }
  p.threads.push_back(std::move(made));
}

void restore_signals(const Restore& restore) {
  task::Process& p = restore.process;
  for (const Disposition& d : restore.saved().dispositions)
    p.signals.actions[static_cast<size_t>(d.signal)] = {d.handler, d.flags, d.restorer, d.mask & ~signal::unblockable};
  for (int signo = 1; signo <= signal::last_signal; ++signo)
    if (signo != SIGKILL && signo != SIGSTOP) signal::mirror(p, signo);
  trap::install_handler(trap::tick_signal);
  trap::install_handler(trap::control_signal);
  set_pending(restore.saved().pending, p.signals.pending);
  const signal::Mask host = p.threads.front()->signals.mask & (signal::bit(SIGTTIN) | signal::bit(SIGTTOU));
  raw::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &host, 0, 8);
  task::this_worker().terminal_mask = host;
}

void restore_interval_timers(const Restore& restore) {
  for (const IntervalTimer& timer : restore.saved().interval_timers) {
    int64_t left = timer.next_ns;
    if (timer.which == ITIMER_REAL && left != 0) left = std::max<int64_t>(1000, left - restore.program_now());
    const itimerval when = {{timer.interval_ns / second_ns, timer.interval_ns % second_ns / 1000},
                            {left / second_ns, left % second_ns / 1000}};
    raw::syscall(SYS_setitimer, timer.which, &when, 0);
  }
}

// The host numbers timers upward: those that are not wanted are made and deleted.
Restored restore_posix_timers(const Restore& restore) {
  std::vector<PosixTimer> timers = restore.saved().posix_timers;
  std::sort(timers.begin(), timers.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  for (const PosixTimer& timer : timers) {
    sigevent event = {};
    event.sigev_notify = timer.notify == SIGEV_NONE ? SIGEV_NONE : SIGEV_SIGNAL;
    event.sigev_signo = timer.signal;
    event.sigev_value.sival_ptr = reinterpret_cast<void*>(timer.value);
    int id = -1;
    for (int tries = 0; id != timer.id && tries < most_timer_ids; ++tries) {
      if (id >= 0) raw::syscall(SYS_timer_delete, id);
      if (const long made = raw::syscall(SYS_timer_create, timer.clock, &event, &id); made < 0 || id > timer.id)
        return std::unexpected(fmt::format("its timer {} cannot be made again", timer.id));
    }
    const int64_t left = timer.next_ns == 0 ? 0 : std::max<int64_t>(1, timer.next_ns - restore.program_now());
    const itimerspec when = {to_timespec(timer.interval_ns), to_timespec(left)};
    raw::syscall(SYS_timer_settime, id, 0, &when, 0);
  }
  return {};
}

void restore_limits(const Restore& restore) {
  for (const Limit& limit : restore.saved().limits) {
    rlimit64 now = {};
    raw::syscall(SYS_prlimit64, 0, limit.resource, 0, &now);
    if (now.rlim_cur == limit.soft && now.rlim_max == limit.hard) continue;
    const rlimit64 whole = {limit.soft, limit.hard}, part = {std::min(limit.soft, now.rlim_max), now.rlim_max};
    if (raw::syscall(SYS_prlimit64, 0, limit.resource, &whole, 0) < 0)
      raw::syscall(SYS_prlimit64, 0, limit.resource, &part, 0);
  }
}

void restore_program_facts(const Restore& restore) {
  const Program& from = restore.saved().program;
  task::Program& to = restore.process.program;
  to.path = from.exe, to.arguments = from.argv, to.environment = from.envp;
  to.auxv.resize(from.auxv.size() / sizeof(uint64_t));
  std::memcpy(to.auxv.data(), from.auxv.data(), to.auxv.size() * sizeof(uint64_t));
  to.vdso = from.vdso_address;
  to.arguments_start = from.argument_start, to.arguments_end = from.argument_end;
  to.environment_end = from.environment_end;
  restore.process.umask = restore.saved().umask;
  raw::syscall(SYS_umask, restore.saved().umask);
}

}  // namespace

Restored restore_names(const Restore& restore) {
  task::Process& p = restore.process;
  const migrate::Process& saved = restore.saved();
  if (!saved.name_space.empty()) {
    const auto nothing = [](const std::string&) -> Result<std::string> { return fail(ENOENT); };
    const auto unset = [](std::string_view) -> std::optional<std::string> { return std::nullopt; };
    const auto commands = ns::parse_ns_text(saved.name_space, "the image's name space", {nothing, unset});
    if (!commands) return std::unexpected(commands.error().text());
    file::CoreServers servers;
    if (const auto applied = ns::apply(*commands, p.names->space(), servers); !applied)
      return std::unexpected(applied.error().text());
  }
  if (saved.root != "/" && !saved.root.empty()) p.names->set_root(saved.root);
  const long moved = raw::syscall(SYS_chdir, saved.cwd.c_str());
  if (!p.names->only_host()) {
    p.names->set_cwd(saved.cwd);
  } else if (moved < 0) {
    return because("its working directory " + saved.cwd, moved);
  }
  return {};
}

Restored restore_process(Restore& restore) {
  restore_program_facts(restore);
  for (const Thread& thread : restore.saved().threads) make_thread(restore, thread);
  task::Thread& first = *restore.process.threads.front();
  raw::syscall(SYS_prctl, 15, first.name.data());  // PR_SET_NAME
  restore_limits(restore);
  restore_signals(restore);
  OSP_TRY(restore_posix_timers(restore));
  restore_interval_timers(restore);
  return {};
}

}  // namespace osp::migrate
