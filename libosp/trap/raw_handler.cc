#include "libosp/trap/raw_handler.h"

#include <linux/prctl.h>
#include <sys/prctl.h>
#include <ucontext.h>

#include "base/raw_syscall.h"
#include "libosp/host/window.h"
#include "libosp/trap/frame.h"
#include "libosp/trap/held_back.h"
#include "libosp/trap/trace_mark.h"

namespace osp::trap {
volatile bool some_held_back = false;
}

extern "C" {
extern const char osp_exit_begin[], osp_exit_restart[], osp_exit_end[];
extern const char osp_entry_begin[], osp_entry_end[];
extern const char osp_fast_begin[], osp_fast_restart[], osp_fast_end[];
extern const char osp_block_begin[], osp_block_end[], osp_block_interrupted[];
extern const char osp_user_begin[], osp_user_end[], osp_user_fault[];
extern const char osp_trap_landing[];
void osp_sigreturn();
void osp_upcall_entry();
void osp_upcall(osp::native::Frame* frame);
}

namespace osp::trap {
namespace {

constexpr uint64_t processor_error = 0xffff;
constexpr uint64_t sa_restorer = 0x04000000;

struct KernelAction {
  void* handler;
  uint64_t flags;
  void (*restorer)();
  uint64_t mask;
};

constexpr int user_dispatch = 2;  // SYS_USER_DISPATCH of sigaction(2), which libc's headers lack

FaultReporter fault_reporter = nullptr;
volatile bool no_memory = false;
volatile bool trace_mark_came = false;

uint64_t address_of(const char* label) { return reinterpret_cast<uint64_t>(label); }
bool within(uint64_t rip, const char* begin, const char* end) {
  return rip >= address_of(begin) && rip < address_of(end);
}

bool is_synchronous(int signo, const siginfo_t& info) {
  const bool kind = signo == SIGSEGV || signo == SIGBUS || signo == SIGFPE || signo == SIGILL || signo == SIGTRAP;
  return kind && info.si_code > 0;
}

void enqueue(Worker& w, const siginfo_t& info) {
  SignalRing& ring = *w.ring;
  if (ring.head - ring.tail == signal_ring_size) {
    ++ring.dropped;
  } else {
    ring.items[ring.head % signal_ring_size] = info;
    ring.head = ring.head + 1;
  }
  w.pending = 1;
}

void note(Worker& w, int signo, const siginfo_t& info) {
  if (signo == tick_signal && info.si_code == SI_TIMER && info.si_value.sival_int == tick_mark) {
    w.tick = 1;
    w.pending = 1;
  } else if (signo == control_signal && info.si_code == SI_QUEUE && info.si_errno == control_mark) {
    w.control = reinterpret_cast<uint64_t>(info.si_value.sival_ptr);
    w.pending = 1;
  } else if ((signo == control_signal || signo == SIGCONT) && info.si_code == SI_QUEUE && info.si_errno == trace_mark) {
    trace_mark_came = true;
    w.pending = 1;
  } else {
    enqueue(w, info);
  }
}

bool is_noted(const SignalRing& ring, int signo) {
  for (uint64_t at = ring.tail; at != ring.head; ++at)
    if (ring.items[at % signal_ring_size].si_signo == signo) return true;
  return false;
}

// What comes faster than the core takes it waits in the host (signal/held_back.h). `noted`: one was there before.
void hold_back(Worker& w, int signo, bool noted, uint64_t& mask) {
  const bool fills_ring = w.ring->head - w.ring->tail >= signal_ring_size / 2;
  if ((!fills_ring && !noted) || (signal_bit(signo) & never_held_back) != 0) return;
  __atomic_fetch_or(&w.host_mask, signal_bit(signo), __ATOMIC_SEQ_CST);
  some_held_back = true;
  mask |= signal_bit(signo);
}

void save_registers(UserRegs& r, const greg_t* g) {
  const auto value = [g](int index) { return static_cast<uint64_t>(g[index]); };
  r.rax = value(REG_RAX), r.rdi = value(REG_RDI), r.rsi = value(REG_RSI), r.rdx = value(REG_RDX);
  r.r10 = value(REG_R10), r.r8 = value(REG_R8), r.r9 = value(REG_R9), r.rbx = value(REG_RBX);
  r.rbp = value(REG_RBP), r.r12 = value(REG_R12), r.r13 = value(REG_R13), r.r14 = value(REG_R14);
  r.r15 = value(REG_R15), r.rsp = value(REG_RSP), r.rip = value(REG_RIP), r.rcx = value(REG_RCX);
  r.r11 = value(REG_R11), r.flags = value(REG_EFL);
}

// Makes sigreturn go to the core instead of back to the program.
void enter_core(Worker& w, greg_t* g, Kind kind) {
  save_registers(*w.regs, g);
  w.regs->kind = kind;
  w.regs->full = 1;
  w.regs->orig_rax = w.regs->rax;
  w.in_core = 1;
  g[REG_RIP] = static_cast<greg_t>(address_of(osp_trap_landing));
  g[REG_RSP] = static_cast<greg_t>(w.core_rsp);
  g[REG_EFL] = 0x202;
}

// The registers to go on with cannot be gone on with (rip is no canonical address, say): the program's
// fault, at those registers.
void bad_way_out(Worker& w, const siginfo_t& info, greg_t* g) {
  w.fault = info;
  w.fault_error = static_cast<uint64_t>(g[REG_ERR]);
  w.fault_trap = static_cast<uint64_t>(g[REG_TRAPNO]);
  w.regs->kind = Kind::fault;
  w.regs->full = 1;
  w.in_core = 1;
  g[REG_RIP] = static_cast<greg_t>(address_of(osp_trap_landing));
  g[REG_RSP] = static_cast<greg_t>(w.core_rsp);
}

void in_program(Worker& w, int signo, const siginfo_t& info, greg_t* g) {
  if (signo == SIGSYS && info.si_code == user_dispatch) {
    w.caught = w.caught + 1;
    enter_core(w, g, Kind::syscall);
  } else if (is_synchronous(signo, info)) {
    w.fault = info;
    w.fault_error = static_cast<uint64_t>(g[REG_ERR]);
    w.fault_trap = static_cast<uint64_t>(g[REG_TRAPNO]);
    enter_core(w, g, Kind::fault);
  } else {
    note(w, signo, info);
    enter_core(w, g, Kind::interrupt);
  }
}

// A clock that the host's vDSO cannot read: it makes the call itself, outside the core's window, and may do so at every
// reading from now on, which the calls are faster without.
void call_for_vdso(Worker& w, greg_t* g) {
  w.fast.host_clock = nullptr;
  w.clock_refused = 1;
  g[REG_RAX] = raw::syscall(g[REG_RAX], g[REG_RDI], g[REG_RSI]);
}

// A single step of the program's has come to the core's entry (from the vDSO): the call is what was stepped over.
bool is_step_into_core(int signo, const siginfo_t& info, greg_t* g) {
  constexpr greg_t trap_flag = 0x100;
  if (signo != SIGTRAP || info.si_code != TRAP_TRACE || (g[REG_EFL] & trap_flag) == 0) return false;
  g[REG_EFL] &= ~trap_flag;
  return true;
}

void in_core(Worker& w, int signo, const siginfo_t& info, greg_t* g) {
  const auto rip = static_cast<uint64_t>(g[REG_RIP]);
  if (is_step_into_core(signo, info, g)) return;
  if (signo == SIGSYS && info.si_code == user_dispatch) {
    call_for_vdso(w, g);
    return;
  }
  if (is_synchronous(signo, info)) {
    if (within(rip, osp_user_begin, osp_user_end)) {
      g[REG_RIP] = static_cast<greg_t>(address_of(osp_user_fault));
    } else {
      fault_reporter(signo, info, g);
    }
    return;
  }
  note(w, signo, info);
  if (within(rip, osp_block_begin, osp_block_end)) g[REG_RIP] = static_cast<greg_t>(address_of(osp_block_interrupted));
}

// `g`: the registers that were interrupted, and will be gone on with.
void sort(int signo, const siginfo_t& info, greg_t* g) {
  const auto rip = static_cast<uint64_t>(g[REG_RIP]);
  Worker& w = worker();
  const bool leaving = within(rip, osp_exit_begin, osp_exit_end);
  if ((leaving || within(rip, osp_fast_begin, osp_fast_end)) && is_synchronous(signo, info)) {
    bad_way_out(w, info, g);
  } else if (leaving) {
    note(w, signo, info);
    g[REG_RIP] = static_cast<greg_t>(address_of(osp_exit_restart));
  } else if (within(rip, osp_fast_begin, osp_fast_end)) {
    note(w, signo, info);
    g[REG_RIP] = static_cast<greg_t>(address_of(osp_fast_restart));
  } else if (w.in_core != 0 || within(rip, osp_entry_begin, osp_entry_end)) {
    in_core(w, signo, info, g);
  } else {
    in_program(w, signo, info, g);
  }
}

void handle(int signo, siginfo_t* info, void* data) {
  auto* context = static_cast<ucontext_t*>(data);
  Worker& w = worker();
  const bool noted = is_noted(*w.ring, signo);
  sort(signo, *info, context->uc_mcontext.gregs);
  hold_back(w, signo, noted, *reinterpret_cast<uint64_t*>(&context->uc_sigmask));  // the kernel's has 64 bits
}

// The signal that Linux makes of a processor exception (arch/x86/kernel/traps.c).
siginfo_t signal_of(const native::Frame& frame) {
  constexpr uint64_t present = 1;
  siginfo_t info = {};
  info.si_signo = SIGSEGV, info.si_code = SI_KERNEL;
  void* address = reinterpret_cast<void*>(frame.rip);
  const auto is = [&](int signo, int code) { info.si_signo = signo, info.si_code = code; };
  switch (frame.trap) {
    case 0:
      is(SIGFPE, FPE_INTDIV);
      break;
    case 1:
      is(SIGTRAP, TRAP_TRACE);
      break;
    case 3:
      is(SIGTRAP, SI_KERNEL);
      break;
    case 6:
      is(SIGILL, ILL_ILLOPN);
      break;
    case 14:
      if ((frame.error & native::fault_behind_end) != 0)
        is(SIGBUS, BUS_ADRERR);
      else
        is(SIGSEGV, (frame.error & present) != 0 ? SEGV_ACCERR : SEGV_MAPERR);
      address = reinterpret_cast<void*>(frame.address);
      break;
    case 16:
    case 19:
      is(SIGFPE, FPE_FLTINV);
      break;
    case 17:
      is(SIGBUS, BUS_ADRALN);
      break;
    default:
      address = nullptr;
  }
  info.si_addr = address;
  return info;
}

long set_action(int signo, void* handler, uint64_t flags, void* before) {
  const KernelAction action = {handler, flags | sa_restorer, osp_sigreturn, ~0UL};
  return raw::syscall(SYS_rt_sigaction, signo, &action, before, 8);
}

}  // namespace

long install_handler(int signo, uint64_t flags, void* before) {
  return set_action(signo, reinterpret_cast<void*>(&handle), SA_SIGINFO | SA_ONSTACK | flags, before);
}

long install_disposition(int signo, bool ignore) {
  return set_action(signo, ignore ? reinterpret_cast<void*>(1) : nullptr, 0, nullptr);
}

int host_disposition(int signo) {
  KernelAction action = {};
  raw::syscall(SYS_rt_sigaction, signo, 0, &action, 8);
  const auto handler = reinterpret_cast<uintptr_t>(action.handler);
  return handler <= 1 ? static_cast<int>(handler) : 2;
}

long install_stack(void* stack, size_t size) {
  const stack_t alternate = {stack, 0, size};
  return raw::syscall(SYS_sigaltstack, &alternate, 0);
}

long dispatch_system_calls(bool on) {
  return raw::syscall(SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, on ? PR_SYS_DISPATCH_ON : PR_SYS_DISPATCH_OFF,
                      on ? window::image : 0, on ? window::end - window::image : 0, 0);
}

long take_upcalls(void* stack, size_t size) {
  const native::Upcall upcall = {reinterpret_cast<uint64_t>(&osp_upcall_entry),
                                 reinterpret_cast<uint64_t>(stack) + size, reinterpret_cast<uint64_t>(&osp_trap_entry)};
  return raw::syscall(native::upcall_set, &upcall);
}

bool took_no_memory() {
  const bool took = no_memory;
  if (took) no_memory = false;
  return took;
}

bool took_trace_mark() {
  const bool took = trace_mark_came;
  if (took) trace_mark_came = false;
  return took;
}

void set_fault_reporter(FaultReporter reporter) { fault_reporter = reporter; }

}  // namespace osp::trap

void osp_upcall(osp::native::Frame* frame) {
  using namespace osp;
  auto* g = reinterpret_cast<greg_t*>(frame);
  if (frame->event == native::Event::fault) {
    const siginfo_t info = trap::signal_of(*frame);
    if ((frame->error & native::fault_no_memory) != 0) trap::no_memory = true;
    frame->error &= trap::processor_error;  // programs are shown it
    return trap::sort(info.si_signo, info, g);
  }
  if (frame->event == native::Event::message) trap::worker().message = 1;
  siginfo_t tick = {};
  tick.si_code = SI_TIMER, tick.si_value.sival_int = trap::tick_mark;
  trap::sort(trap::tick_signal, tick, g);
}
