#include "libosp/signal/frame.h"

#include <cstring>

#include "libosp/task/vector_state.h"
#include "libosp/trap/frame.h"
#include "libosp/trap/vector.h"

namespace osp::signal {
namespace {

// The kernel's layouts (arch/x86/include/uapi/asm/sigcontext.h, ucontext.h), 64-bit.
struct Context {
  uint64_t r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp, ip, flags;
  uint16_t cs, gs, fs, ss;
  uint64_t err, trapno, oldmask, cr2, fpstate, reserved[8];
};
static_assert(sizeof(Context) == 256);

struct UserContext {
  uint64_t flags, link;
  stack_t stack;
  Context context;
  Mask mask;
};

struct Frame {
  uint64_t return_address;
  UserContext context;
  siginfo_t info;
};

struct XstateMark {  // struct _fpx_sw_bytes
  uint32_t magic, extended_size;
  uint64_t features;
  uint32_t state_size, padding[7];
};

constexpr uint32_t magic1 = 0x46505853, magic2 = 0x46505845;
constexpr size_t mark_offset = 464, legacy_size = 512, header_size = 64, xmm_offset = 160, xmm_size = 256;
constexpr uint64_t frame_flags = 7;  // UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS
constexpr uint64_t red_zone = 128;
constexpr uint64_t changeable_flags = 0x244dd5;  // AC OF DF TF SF ZF AF PF CF RF, as the kernel's FIX_EFLAGS
constexpr uint64_t sse = 2;
constexpr int autodisarm = INT32_MIN;  // SS_AUTODISARM (1U << 31)

bool on_alternate(const stack_t& stack, uint64_t sp) {
  const auto start = reinterpret_cast<uint64_t>(stack.ss_sp);
  return (stack.ss_flags & SS_DISABLE) == 0 && sp > start && sp - start <= stack.ss_size;
}

Context context_of(const trap::UserRegs& r) {
  Context c = {};
  c.r8 = r.r8, c.r9 = r.r9, c.r10 = r.r10, c.r11 = r.r11, c.r12 = r.r12, c.r13 = r.r13, c.r14 = r.r14, c.r15 = r.r15;
  c.di = r.rdi, c.si = r.rsi, c.bp = r.rbp, c.bx = r.rbx, c.dx = r.rdx, c.ax = r.rax, c.cx = r.rcx;
  c.sp = r.rsp, c.ip = r.rip, c.flags = r.flags, c.cs = 0x33, c.ss = 0x2b;
  return c;
}

void load_context(trap::UserRegs& r, const Context& c) {
  r.r8 = c.r8, r.r9 = c.r9, r.r10 = c.r10, r.r11 = c.r11, r.r12 = c.r12, r.r13 = c.r13, r.r14 = c.r14, r.r15 = c.r15;
  r.rdi = c.di, r.rsi = c.si, r.rbp = c.bp, r.rbx = c.bx, r.rdx = c.dx, r.rax = c.ax, r.rcx = c.cx;
  r.rsp = c.sp, r.rip = c.ip;
  r.flags = (r.flags & ~changeable_flags) | (c.flags & changeable_flags) | 0x202;
  r.full = 1;
}

Result<void> copy_user(void* to, const void* from, size_t size) {
  return from_raw<void>(osp_user_copy(to, from, size));
}

Result<void> push_vector(task::Thread& thread, uint64_t at) {
  task::save_vector_state(thread);
  const size_t size = trap::vector::area_size();
  const XstateMark mark = {
      magic1, static_cast<uint32_t>(size + 4), trap::vector::components(), static_cast<uint32_t>(size), {}};
  auto* to = reinterpret_cast<std::byte*>(at);
  OSP_TRY(copy_user(to, thread.regs.vector, size));
  OSP_TRY(copy_user(to + mark_offset, &mark, sizeof mark));
  return copy_user(to + size, &magic2, sizeof magic2);
}

Result<void> pop_vector(task::Thread& thread, uint64_t at) {
  const auto* from = reinterpret_cast<const std::byte*>(at);
  std::byte* area = thread.regs.vector;
  XstateMark mark = {};
  OSP_TRY(copy_user(&mark, from + mark_offset, sizeof mark));
  const size_t size = trap::vector::area_size();
  const bool extended = mark.magic == magic1 && mark.state_size >= legacy_size + header_size && mark.state_size <= size;
  task::drop_vector_state(thread);
  OSP_TRY(copy_user(area, from, extended ? mark.state_size : legacy_size));
  if (!extended) {
    const uint64_t legacy_components = 3;
    std::memcpy(area + legacy_size, &legacy_components, sizeof legacy_components);
  }
  sanitise_vector(area);
  return {};
}

uint64_t choose_stack(const task::Thread& thread, const Action& action) {
  const stack_t& alternate = thread.signals.alternate;
  const bool use = (action.flags & SA_ONSTACK) != 0 && (alternate.ss_flags & SS_DISABLE) == 0 &&
                   !on_alternate(alternate, thread.regs.rsp);
  if (use) return reinterpret_cast<uint64_t>(alternate.ss_sp) + alternate.ss_size;
  return thread.regs.rsp - red_zone;
}

}  // namespace

void sanitise_vector(std::byte* area) {
  uint64_t header[8] = {};
  std::memcpy(header, area + legacy_size, sizeof header);
  header[0] &= trap::vector::components();
  std::memset(header + 1, 0, sizeof header - 8);
  if ((header[0] & sse) == 0) std::memset(area + xmm_offset, 0, xmm_size);
  header[0] |= sse;
  std::memcpy(area + legacy_size, header, sizeof header);
  uint32_t mxcsr = 0;
  std::memcpy(&mxcsr, area + 24, sizeof mxcsr);
  mxcsr &= 0xffff;
  std::memcpy(area + 24, &mxcsr, sizeof mxcsr);
}

Result<void> push_frame(task::Thread& thread, const Action& action, const siginfo_t& info, Mask mask_to_restore,
                        uint64_t error, uint64_t trap) {
  trap::UserRegs& r = thread.regs;
  const uint64_t state = (choose_stack(thread, action) - trap::vector::area_size() - sizeof magic2) & ~uint64_t{63};
  const uint64_t at = ((state - sizeof(Frame)) & ~uint64_t{15}) - 8;
  OSP_TRY(push_vector(thread, state));
  Frame frame = {};
  frame.return_address = action.restorer;
  frame.context.flags = frame_flags;
  frame.context.stack = thread.signals.alternate;
  if (on_alternate(thread.signals.alternate, r.rsp)) frame.context.stack.ss_flags |= SS_ONSTACK;
  frame.context.context = context_of(r);
  frame.context.context.err = error, frame.context.context.trapno = trap;
  frame.context.context.fpstate = state;
  if (trap == 14) frame.context.context.cr2 = reinterpret_cast<uint64_t>(info.si_addr);
  frame.context.mask = mask_to_restore;
  frame.info = info;
  OSP_TRY(copy_user(reinterpret_cast<void*>(at), &frame, sizeof frame));
  if ((thread.signals.alternate.ss_flags & autodisarm) != 0) thread.signals.alternate = {nullptr, SS_DISABLE, 0};
  r.rdi = static_cast<uint64_t>(info.si_signo);
  r.rsi = at + offsetof(Frame, info), r.rdx = at + offsetof(Frame, context);
  r.rax = 0, r.rsp = at, r.rip = action.handler;
  r.flags &= ~uint64_t{0x10500};  // DF, TF, RF
  r.full = 1;
  return {};
}

Result<void> pop_frame(task::Thread& thread) {
  UserContext context = {};
  const uint64_t at = thread.regs.rsp - 8;
  OSP_TRY(copy_user(&context, reinterpret_cast<void*>(at + offsetof(Frame, context)), sizeof context));
  load_context(thread.regs, context.context);
  thread.signals.mask = context.mask & ~unblockable;
  if (context.context.fpstate != 0) OSP_TRY(pop_vector(thread, context.context.fpstate));
  if ((context.stack.ss_flags & SS_ONSTACK) == 0 || (context.stack.ss_flags & autodisarm) != 0)
    thread.signals.alternate = context.stack;
  return {};
}

}  // namespace osp::signal
