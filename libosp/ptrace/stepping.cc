// Single steps by the processor's trap flag, and the debug registers: what they watch is compared after each step,
// since the processor's own are the host's. Only changes of a value are seen, not reads, nor writes of the same value.
#include <csignal>
#include <cstring>

#include "libosp/ptrace/stop.h"
#include "libosp/ptrace/watch.h"
#include "libosp/signal/deliver.h"

namespace osp::ptrace {
namespace {

using task::Thread;

constexpr uint64_t trap_flag = 0x100;
constexpr uint64_t single_step_bit = 0x4000;     // BS of DR6
constexpr int trap_step = 2, trap_hardware = 4;  // TRAP_TRACE, TRAP_HWBKPT

bool is_enabled(uint64_t control, size_t index) { return (control >> (2 * index) & 3) != 0; }
bool is_execution(uint64_t control, size_t index) { return (control >> (16 + 4 * index) & 3) == 0; }
size_t size_of(uint64_t control, size_t index) {
  constexpr size_t sizes[] = {1, 2, 8, 4};
  return sizes[control >> (18 + 4 * index) & 3];
}

uint64_t value_at(uint64_t address, size_t size) {
  uint64_t value = 0;
  osp_user_copy(&value, reinterpret_cast<void*>(address), size);
  return value;
}

// Bits of DR6 for what has been hit since the last look.
uint64_t hits(const Thread& thread, const Tracee& tracee) {
  if (tracee.watch == nullptr) return 0;
  Watch& watch = *tracee.watch;
  const uint64_t control = watch.debug[7];
  uint64_t hit = 0;
  for (size_t i = 0; i < watched_places; ++i) {
    if (!is_enabled(control, i)) continue;
    const uint64_t address = watch.debug[i];
    if (is_execution(control, i)) {
      if (thread.regs.rip == address) hit |= uint64_t{1} << i;
      continue;
    }
    const uint64_t now = value_at(address, size_of(control, i));
    if (std::exchange(watch.values[i], now) != now) hit |= uint64_t{1} << i;
  }
  return hit;
}

void update_stepping(Tracee& tracee) { tracee.stepping = tracee.single_step || tracee.watch != nullptr; }

// What a step leads to, as the kernel's exc_debug_user() says it. False: nothing.
bool judge_step(Thread& thread, siginfo_t& info) {
  Tracee& tracee = *tracee_of(thread);
  const uint64_t hit = hits(thread, tracee);
  const bool stepped = std::exchange(tracee.single_step, false);
  update_stepping(tracee);
  if (hit == 0 && !stepped) return false;
  body_of(*tracee.slot).debug[6] |= hit | (stepped ? single_step_bit : 0);
  info = signal::make_info(SIGTRAP, stepped ? trap_step : trap_hardware);
  info.si_addr = reinterpret_cast<void*>(thread.regs.rip);
  return true;
}

}  // namespace

void set_stepping(Thread& thread, bool single, const std::array<uint64_t, debug_registers>& debug) {
  Tracee& tracee = *tracee_of(thread);
  tracee.single_step = single;
  if ((debug[7] & 0xff) == 0) {
    tracee.watch.reset();
  } else {
    if (tracee.watch == nullptr) tracee.watch = std::make_unique<Watch>();
    tracee.watch->debug = debug;
    for (size_t i = 0; i < watched_places; ++i)
      if (is_enabled(debug[7], i)) tracee.watch->values[i] = value_at(debug[i], size_of(debug[7], i));
  }
  update_stepping(tracee);
}

void begin_step(Thread& thread) {
  thread.regs.flags |= trap_flag;
  thread.regs.full = 1;
}

void end_step(Thread& thread) { thread.regs.flags &= ~trap_flag; }

void call_stepped(Thread& thread) {
  siginfo_t info = {};
  if (!thread.exiting && is_stepping(thread) && judge_step(thread, info)) signal::force(thread, info);
}

bool is_own_step(Thread& thread, siginfo_t& fault) {
  if (fault.si_signo != SIGTRAP || fault.si_code != trap_step) return false;
  return !judge_step(thread, fault);
}

void handler_entered(Thread& thread) {
  Tracee& tracee = *tracee_of(thread);
  if (!std::exchange(tracee.single_step, false)) return;
  update_stepping(tracee);
  stop(thread, {.kind = Stop::event, .code = SIGTRAP});
}

}  // namespace osp::ptrace
