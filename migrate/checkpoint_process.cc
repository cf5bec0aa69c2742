// The process itself for an image: threads, signals, timers, limits, identity.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/raw_syscall.h"
#include "libosp/file/names.h"
#include "libosp/task/vector_state.h"
#include "libosp/trap/raw_handler.h"
#include "libosp/trap/vector.h"
#include "libosp/vdso/vdso.h"
#include "migrate/checkpoint_parts.h"
#include "migrate/hash.h"

namespace osp::migrate {
namespace {

constexpr int64_t second_ns = 1'000'000'000;
constexpr uint32_t limit_count = 16;

template <class T>
Bytes bytes_of(const T& value) {
  const auto* start = reinterpret_cast<const std::byte*>(&value);
  return Bytes(start, start + sizeof value);
}

int64_t to_ns(const timespec& t) { return t.tv_sec * second_ns + t.tv_nsec; }

std::vector<PendingSignal> pending_of(const signal::Pending& pending) {
  std::vector<PendingSignal> all;
  for (const siginfo_t& info : pending.queue()) all.push_back({info.si_signo, bytes_of(info)});
  return all;
}

Registers registers_of(const trap::UserRegs& r) {
  Registers out;
  out.r15 = r.r15, out.r14 = r.r14, out.r13 = r.r13, out.r12 = r.r12, out.rbp = r.rbp, out.rbx = r.rbx;
  out.r11 = r.r11, out.r10 = r.r10, out.r9 = r.r9, out.r8 = r.r8, out.rax = r.rax, out.rcx = r.rcx;
  out.rdx = r.rdx, out.rsi = r.rsi, out.rdi = r.rdi, out.rip = r.rip, out.rflags = r.flags, out.rsp = r.rsp;
  out.fs_base = r.fs_base;
  return out;
}

// The thread is at the edge and its signals are delivered: a call it was in is rewound to its syscall instruction.
Thread thread_of(const Capture& c, task::Thread& t) {
  task::save_vector_state(t);
  task::drop_vector_state(t);
  Thread out;
  out.tid = t.tid;
  out.name = t.name.data();
  out.registers = registers_of(t.regs);
  out.vector.format = VectorFormat::xsave;
  out.vector.xcr0 = trap::vector::components();
  out.vector.data.assign(t.regs.vector, t.regs.vector + trap::vector::area_size());
  out.signal_mask = t.signals.mask;
  out.pending = pending_of(t.signals.pending);
  out.alternate_stack = {reinterpret_cast<uint64_t>(t.signals.alternate.ss_sp), t.signals.alternate.ss_size,
                         t.signals.alternate.ss_flags};
  out.robust_list = t.robust_list, out.robust_list_size = t.robust_list_size;
  out.clear_child_tid = t.clear_child_tid;
  if (t.rewound_rip != 0 && t.rewound_rip == t.regs.rip) {
    out.restart.number = static_cast<int32_t>(t.regs.rax);
    out.restart.has_deadline = t.restart_deadline != 0;
    out.restart.deadline_ns =
        t.restart_deadline != 0 ? static_cast<int64_t>(t.restart_deadline) + c.process.clock_offset_ns : 0;
  }
  return out;
}

void capture_signals(Capture& c) {
  for (int signo = 1; signo <= signal::last_signal; ++signo) {
    const signal::Action& action = c.process.signals.actions[static_cast<size_t>(signo)];
    if (action.handler == 0 && action.flags == 0) continue;
    c.image().dispositions.push_back({signo, action.handler, action.flags, action.mask, action.restorer});
  }
  c.image().pending = pending_of(c.process.signals.pending);
}

void capture_interval_timers(Capture& c) {
  for (int which = 0; which < 3; ++which) {
    itimerval now = {};
    raw::syscall(SYS_getitimer, which, &now);
    const int64_t left = now.it_value.tv_sec * second_ns + now.it_value.tv_usec * 1000;
    const int64_t interval = now.it_interval.tv_sec * second_ns + now.it_interval.tv_usec * 1000;
    if (left == 0 && interval == 0) continue;
    c.image().interval_timers.push_back(
        {which, left == 0 ? 0 : left + (which == ITIMER_REAL ? c.program_now() : 0), interval});
  }
}

// The host numbers the timers and lists them (proc(5), /proc/PID/timers); ours is the one with the tick.
void capture_posix_timers(Capture& c) {
  const std::string text = host_text("/proc/self/timers");
  for (size_t at = text.find("ID: "); at != std::string::npos;) {
    const size_t next = text.find("\nID: ", at + 1);
    const std::string one = text.substr(at, next == std::string::npos ? next : next + 1 - at);
    at = next == std::string::npos ? next : next + 1;
    const std::string signal_part = value_of(one, "signal:"), notify = value_of(one, "notify:");
    PosixTimer timer;
    timer.id = static_cast<int32_t>(to_number(value_of(one, "ID:")));
    timer.signal = static_cast<int32_t>(to_number(signal_part));
    if (timer.signal == trap::tick_signal) continue;
    if (const size_t slash = signal_part.find('/'); slash != std::string::npos)
      timer.value = static_cast<uint64_t>(to_number(std::string_view(signal_part).substr(slash + 1), 16));
    timer.clock = static_cast<int32_t>(to_number(value_of(one, "ClockID:")));
    timer.notify = notify.starts_with("none") ? SIGEV_NONE : SIGEV_SIGNAL;
    itimerspec now = {};
    raw::syscall(SYS_timer_gettime, timer.id, &now);
    if (const int64_t left = to_ns(now.it_value); left != 0) timer.next_ns = left + c.program_now();
    timer.interval_ns = to_ns(now.it_interval);
    c.image().posix_timers.push_back(timer);
  }
}

void capture_limits(Capture& c) {
  for (uint32_t resource = 0; resource < limit_count; ++resource) {
    rlimit64 limit = {};
    if (raw::syscall(SYS_prlimit64, 0, resource, 0, &limit) < 0) continue;
    c.image().limits.push_back({resource, limit.rlim_cur, limit.rlim_max});
  }
}

void capture_program(Capture& c) {
  const task::Program& from = c.process.program;
  Program& to = c.image().program;
  to.exe = from.where(), to.argv = from.arguments, to.envp = from.environment;
  const auto* words = reinterpret_cast<const std::byte*>(from.auxv.data());
  to.auxv.assign(words, words + from.auxv.size() / 2 * 2 * sizeof(uint64_t));
  to.argument_start = from.arguments_start, to.argument_end = from.arguments_end;
  to.environment_start = from.arguments_end, to.environment_end = from.environment_end;
  to.brk_start = c.process.memory.break_start(), to.brk_end = c.process.memory.break_end();
  to.vdso_address = from.vdso;
  Hasher hasher;
  hasher.update(vdso::image());
  const Digest hash = hasher.digest();
  to.vdso_hash.assign(hash.begin(), hash.end());
  to.comm = c.process.threads.front()->name.data();
}

void capture_credentials(Capture& c) {
  Credentials& out = c.image().credentials;
  raw::syscall(SYS_getresuid, &out.uid, &out.euid, &out.suid);
  raw::syscall(SYS_getresgid, &out.gid, &out.egid, &out.sgid);
  out.fsuid = out.euid, out.fsgid = out.egid;
}

void capture_moment(Capture& c) {
  Manifest& m = c.manifest;
  timespec real = {}, boot = {};
  raw::syscall(SYS_clock_gettime, CLOCK_REALTIME, &real);
  raw::syscall(SYS_clock_gettime, CLOCK_BOOTTIME, &boot);
  m.interface_version = m.trees.empty() ? interface_without_trees : interface_version;
  m.core_version = OSP_VERSION;
  m.created_ns = m.clock.realtime_ns = to_ns(real);
  m.clock.boottime_ns = to_ns(boot) + c.process.clock_offset_ns;
  m.clock.monotonic_ns = c.program_now();
  utsname host = {};
  raw::syscall(SYS_uname, &host);
  m.host = fmt::format("{} {} {} {}", host.sysname, host.release, host.machine, host.nodename);
}

}  // namespace

Result<void> capture_process(Capture& c) {
  task::Process& p = c.process;
  Process& out = c.image();
  capture_moment(c);
  out.pid = p.pid, out.space = process_space;
  out.ppid = static_cast<int32_t>(raw::call(SYS_getppid));
  out.pgid = static_cast<int32_t>(raw::call(SYS_getpgrp));
  out.sid = static_cast<int32_t>(raw::syscall(SYS_getsid, 0));
  out.cwd = p.names->cwd(), out.root = p.names->root();
  if (!p.names->space().only_host())
    for (const std::string& command : p.names->space().commands()) out.name_space += command + "\n";
  out.umask = static_cast<uint32_t>(to_number(value_of(host_text("/proc/self/status"), "Umask:"), 8));
  capture_program(c);
  capture_credentials(c);
  capture_limits(c);
  capture_signals(c);
  capture_interval_timers(c);
  capture_posix_timers(c);
  for (const auto& thread : p.threads) out.threads.push_back(thread_of(c, *thread));
  return {};
}

}  // namespace osp::migrate
