#include "libosp/ptrace/stop.h"

#include <linux/ptrace.h>

#include <algorithm>

#include "base/raw_syscall.h"
#include "libosp/ptrace/registers.h"

namespace osp::ptrace {
namespace {

using task::Process;
using task::Thread;

constexpr uint64_t look_after_tracer_ns = 200'000'000;

siginfo_t info_of(const Thread& thread, int code) {
  siginfo_t info = {};
  info.si_signo = code & 0x7f, info.si_code = code;
  info.si_pid = id_of(thread), info.si_uid = static_cast<uid_t>(raw::call(SYS_getuid));
  return info;
}

// As the kernel shows a call: -ENOSYS until it has been made, and why it begins again.
void show_result(Thread& thread, Stop kind) {
  if (kind == Stop::call_entry) thread.regs.rax = static_cast<uint64_t>(-ENOSYS);
  if (thread.interrupted != 0) thread.regs.rax = static_cast<uint64_t>(thread.interrupted);
}

void publish(Thread& thread, const StopRequest& request) {
  Slot& slot = slot_of(thread);
  Body& body = body_of(slot);
  show_result(thread, request.kind);
  const bool at_call = request.kind == Stop::call_entry || request.kind == Stop::call_exit;
  publish_registers(thread, at_call || thread.regs.kind == trap::Kind::syscall, body);
  body.stop = request.kind, body.signal = 0;
  body.message = request.message;
  body.mask = thread.signals.saved_mask.value_or(thread.signals.mask);
  body.mask_changed = body.info_changed = false;
  body.has_info = request.info != nullptr || request.kind != Stop::group;
  body.info = request.info != nullptr ? *request.info : info_of(thread, request.code);
  body.call_result = thread.regs.rax;
  body.status = request.code << 8 | 0x7f;
}

// A restart that the tracer has undone, as a debugger does to call a function.
void take_result(Thread& thread, const Body& body) {
  if (thread.interrupted == 0 || !body.regs_changed) return;
  const bool restarts =
      static_cast<long>(body.regs.orig_rax) >= 0 && body.regs.rax == static_cast<uint64_t>(thread.interrupted);
  if (!restarts) thread.interrupted = 0;
}

void take_back(Thread& thread, const StopRequest& request) {
  Body& body = body_of(slot_of(thread));
  take_result(thread, body);
  if (request.kind == Stop::call_entry && body.regs_changed) thread.regs.orig_rax = body.regs.orig_rax;
  take_registers(thread, body);
  if (body.mask_changed) thread.signals.mask = body.mask & ~signal::unblockable;
  if (request.info != nullptr && body.info_changed) *request.info = body.info;
  const bool single = body.order == Order::step || body.order == Order::emulate_step;
  set_stepping(thread, single, body.debug);
}

// A tracer that was killed has said nothing.
bool has_tracer(Thread& thread) {
  Slot& slot = slot_of(thread);
  const int tracer = slot.tracer;
  if (tracer == 0 || is_alive(tracer)) return tracer != 0;
  if ((slot.options & PTRACE_O_EXITKILL) != 0) raw::syscall(SYS_kill, raw::getpid(), SIGKILL);
  for (const auto& other : thread.process.threads) {
    if (!is_traced(*other) || slot_of(*other).tracer != tracer) continue;
    slot_of(*other).tracer = 0;
    if (tracee_of(*other)->stopped) thread.process.scheduler.wake(*other, task::Wake::woken);
  }
  return false;
}

// PTRACE_LISTEN: until something is asked for, which is reported anew.
void listen(Thread& thread) {
  Slot& slot = slot_of(thread);
  if (slot.wanted.exchange(0) == 0) return;
  thread.signals.pending.remove(signal::bit(SIGKILL));
  Body& body = body_of(slot);
  body.status = (SIGTRAP | PTRACE_EVENT_STOP << 8) << 8 | 0x7f;
  body.info = info_of(thread, body.status >> 8);
  body.has_info = true;
  slot.phase = Phase::stopped;
  report(slot, body.status);
}

void await_order(Thread& thread) {
  Slot& slot = slot_of(thread);
  for (;;) {
    if (slot.phase == Phase::resuming) {
      if (body_of(slot).order != Order::listen) return;
      slot.phase = Phase::listening;
    }
    if (slot.phase == Phase::listening) listen(thread);
    if (thread.exiting || slot.tracer == 0) return;
    const task::Wake why = thread.process.scheduler.park_now(thread, task::host_now_ns() + look_after_tracer_ns, true);
    if (why == task::Wake::timeout && !has_tracer(thread)) return;
  }
}

void leave_tracer(Thread& thread, Slot& slot) {
  const bool was_stopped = slot.was_stopped.exchange(0) != 0;
  end_tracing(thread.process);
  if (was_stopped && !thread.exiting) raw::syscall(SYS_kill, raw::getpid(), SIGSTOP);
}

}  // namespace

int id_of(const Thread& thread) { return thread.tid == thread.process.pid ? thread.process.host_pid : thread.tid; }

void report(Slot& slot, int status) {
  slot.report = status;
  slot.news = 1;
  poke(slot.tracer);
}

int stop(Thread& thread, const StopRequest& request) {
  if (!is_traced(thread) || thread.exiting) return 0;
  Slot& slot = slot_of(thread);
  const uint64_t error = trap::worker().fault_error, trap = trap::worker().fault_trap;
  publish(thread, request);
  tracee_of(thread)->stopped = true;
  slot.phase = Phase::stopped;
  report(slot, body_of(slot).status);
  await_order(thread);
  tracee_of(thread)->stopped = false;
  trap::worker().fault_error = error, trap::worker().fault_trap = trap;
  const bool ordered = slot.phase == Phase::resuming;
  slot.phase = Phase::running, slot.report = no_report;
  take_back(thread, request);
  const int signo = ordered ? body_of(slot).signal : 0;
  if (slot.tracer == 0) leave_tracer(thread, slot);
  return signo;
}

bool stop_for_event(Thread& thread, int event, uint64_t message) {
  if (!is_traced(thread) || (slot_of(thread).options & (1U << event)) == 0) return false;
  stop(thread, {.kind = Stop::event, .code = SIGTRAP | event << 8, .message = message});
  return true;
}

}  // namespace osp::ptrace
