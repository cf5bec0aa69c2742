// ptrace(2) as the tracer makes it; ptrace/ has the two sides.
#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/audit.h>
#include <linux/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#include <algorithm>
#include <cstring>

#include "libosp/host/side.h"
#include "libosp/linux/trace_calls.h"
#include "libosp/ptrace/tracee.h"
#include "libosp/ptrace/tracer.h"

namespace osp::linux {
namespace {

using ptrace::Body;
using ptrace::Order;
using ptrace::Phase;
using ptrace::Slot;

constexpr uint64_t known_options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                                   PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEVFORKDONE |
                                   PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL;
constexpr uint64_t all_options = known_options | PTRACE_O_TRACESECCOMP | PTRACE_O_SUSPEND_SECCOMP;
constexpr size_t fp_size = sizeof(user_fpregs_struct), fp_reserved = 464;

// A word of the tracee's memory, whatever its protection, as /proc/PID/mem has it (proc(5)).
long access_word(const Slot& slot, uint64_t address, uint64_t* word, bool write) {
  const std::string path = fmt::format("/proc/{}/mem", slot.pid.load());
  const long fd = raw::syscall(SYS_openat, AT_FDCWD, path.c_str(), (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
  if (fd < 0) return -EIO;
  const long size = raw::syscall(write ? SYS_pwrite64 : SYS_pread64, fd, word, sizeof *word, address);
  raw::close(static_cast<int>(fd));
  return size == sizeof *word ? 0 : -EIO;
}

long peek(const Slot& slot, uint64_t address, uint64_t to) {
  uint64_t word = 0;
  if (const long error = access_word(slot, address, &word, false); error != 0) return error;
  return put(to, word) ? 0 : -EFAULT;
}

// struct user: the registers, and far behind them the debug registers.
uint64_t* user_word(Body& body, uint64_t offset) {
  if (offset % sizeof(uint64_t) != 0 || offset >= sizeof(user)) return nullptr;
  if (offset < sizeof(user_regs_struct)) return reinterpret_cast<uint64_t*>(&body.regs) + offset / sizeof(uint64_t);
  constexpr size_t debug = offsetof(user, u_debugreg);
  if (offset >= debug && offset < debug + sizeof body.debug) return &body.debug[(offset - debug) / sizeof(uint64_t)];
  return nullptr;
}

long peek_user(Body& body, uint64_t offset, uint64_t to) {
  if (offset % sizeof(uint64_t) != 0 || offset >= sizeof(user)) return -EIO;
  const uint64_t* word = user_word(body, offset);
  return put(to, word != nullptr ? *word : uint64_t{0}) ? 0 : -EFAULT;
}

// Watching reads cannot be served (ptrace/stepping.cc), nor I/O ports; the kernel's memory is not to be watched.
bool can_watch(const std::array<uint64_t, ptrace::debug_registers>& debug) {
  constexpr uint64_t user_end = 0x7fff'ffff'f000;
  const uint64_t control = debug[7];
  for (size_t i = 0; i < 4; ++i) {
    if ((control >> (2 * i) & 3) == 0) continue;
    if ((control >> (16 + 4 * i) & 2) != 0 || debug[i] >= user_end) return false;
  }
  return true;
}

long poke_user(Body& body, uint64_t offset, uint64_t value) {
  uint64_t* word = user_word(body, offset);
  if (word == nullptr) return -EIO;
  const uint64_t before = std::exchange(*word, value);
  if (offset < sizeof(user_regs_struct)) {
    body.regs_changed = true;
  } else if (!can_watch(body.debug)) {
    *word = before;
    return -EINVAL;
  }
  return 0;
}

long get_bytes(uint64_t to, const void* from, size_t size) {
  return osp_user_copy(Call::pointer<void>(to), from, size) == 0 ? 0 : -EFAULT;
}
long set_bytes(void* to, uint64_t from, size_t size) {
  return osp_user_copy(to, Call::pointer<void>(from), size) == 0 ? 0 : -EFAULT;
}

long set_registers(Body& body, uint64_t from, size_t size) {
  body.regs_changed = true;
  return set_bytes(&body.regs, from, size);
}

long get_vector(const Body& body, uint64_t to, size_t size) {
  if (size > fp_size) return get_bytes(to, body.vector.data(), size);
  std::array<std::byte, fp_size> legacy = {};
  std::memcpy(legacy.data(), body.vector.data(), fp_reserved);
  return get_bytes(to, legacy.data(), size);
}

// The x87 and SSE parts are in use from now on, whatever the area said.
long set_vector(Body& body, uint64_t from, size_t size) {
  body.vector_changed = true;
  const long result = set_bytes(body.vector.data(), from, size);
  if (size <= fp_size) body.vector[fp_size] |= std::byte{3};
  return result;
}

long register_set(Body& body, uint64_t type, uint64_t vector, bool set) {
  iovec io = {};
  if (!get(vector, io)) return -EFAULT;
  const size_t whole = type == NT_PRSTATUS     ? sizeof body.regs
                       : type == NT_PRFPREG    ? fp_size
                       : type == NT_X86_XSTATE ? body.vector_size
                                               : 0;
  if (whole == 0 || io.iov_len % sizeof(uint64_t) != 0) return -EINVAL;
  if (type == NT_X86_XSTATE && set && io.iov_len < whole) return -EFAULT;
  io.iov_len = std::min(io.iov_len, whole);
  const auto at = reinterpret_cast<uint64_t>(io.iov_base);
  long result = 0;
  if (type == NT_PRSTATUS) {
    result = set ? set_registers(body, at, io.iov_len) : get_bytes(at, &body.regs, io.iov_len);
  } else {
    result = set ? set_vector(body, at, io.iov_len) : get_vector(body, at, io.iov_len);
  }
  if (result != 0) return result;
  return put(vector, io) ? 0 : -EFAULT;
}

long call_info(const Body& body, uint64_t size, uint64_t to) {
  ptrace_syscall_info info = {};
  info.arch = AUDIT_ARCH_X86_64;
  info.instruction_pointer = body.regs.rip, info.stack_pointer = body.regs.rsp;
  size_t used = offsetof(ptrace_syscall_info, entry);
  if (body.stop == ptrace::Stop::call_entry) {
    info.op = PTRACE_SYSCALL_INFO_ENTRY;
    info.entry.nr = body.regs.orig_rax;
    const user_regs_struct& r = body.regs;
    const uint64_t arguments[] = {r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9};
    std::copy_n(arguments, 6, info.entry.args);
    used += sizeof info.entry;
  } else if (body.stop == ptrace::Stop::call_exit) {
    info.op = PTRACE_SYSCALL_INFO_EXIT;
    const auto result = static_cast<int64_t>(body.call_result);
    info.exit.rval = result, info.exit.is_error = result < 0 && result >= -4095;
    used += offsetof(ptrace_syscall_info, exit.is_error) - offsetof(ptrace_syscall_info, exit) + 1;
  }
  if (get_bytes(to, &info, std::min(size, used)) != 0) return -EFAULT;
  return static_cast<long>(used);
}

long thread_base(Body& body, uint64_t what, uint64_t argument) {
  constexpr uint64_t set_gs = 0x1001, set_fs = 0x1002, get_fs = 0x1003, get_gs = 0x1004;
  if (what == get_fs) return put(argument, body.regs.fs_base) ? 0 : -EFAULT;
  if (what == get_gs) return put(argument, uint64_t{0}) ? 0 : -EFAULT;
  if (what == set_gs) return argument == 0 ? 0 : -EPERM;
  if (what != set_fs) return -EINVAL;
  if (argument >= program_end) return -EPERM;
  body.regs.fs_base = argument;
  body.regs_changed = true;
  return 0;
}

long signal_info(Body& body, uint64_t data, bool set) {
  if (!body.has_info) return -EINVAL;
  if (!set) return put(data, body.info) ? 0 : -EFAULT;
  body.info_changed = true;
  return get(data, body.info) ? 0 : -EFAULT;
}

long signal_mask(Body& body, uint64_t size, uint64_t data, bool set) {
  if (size != sizeof body.mask) return -EINVAL;
  if (!set) return put(data, body.mask) ? 0 : -EFAULT;
  body.mask_changed = true;
  return get(data, body.mask) ? 0 : -EFAULT;
}

long set_options(Slot& slot, uint64_t options) {
  if ((options & ~all_options) != 0) return -EINVAL;
  if ((options & PTRACE_O_SUSPEND_SECCOMP) != 0) return -EPERM;
  slot.options = static_cast<uint32_t>(options);
  return 0;
}

long go_on(Slot& slot, Order order, uint64_t signo, bool detach = false) {
  if (signo > signal::last_signal) return -EIO;
  ptrace::order(slot, order, static_cast<int>(signo), detach);
  return 0;
}

long listen(Slot& slot) {
  constexpr int shift = 16;
  if (slot.seized == 0 || body_of(slot).status >> shift != PTRACE_EVENT_STOP) return -EIO;
  return go_on(slot, Order::listen, 0);
}

// Whether the request lets the tracee go on, with the result in `result`.
bool is_order(const Call& c, Slot& slot, long& result) {
  switch (c.a) {
    case PTRACE_CONT:
      result = go_on(slot, Order::go_on, c.d);
      return true;
    case PTRACE_SYSCALL:
      result = go_on(slot, Order::to_call, c.d);
      return true;
    case PTRACE_SINGLESTEP:
      result = go_on(slot, Order::step, c.d);
      return true;
    case PTRACE_SYSEMU:
      result = go_on(slot, Order::emulate, c.d);
      return true;
    case PTRACE_SYSEMU_SINGLESTEP:
      result = go_on(slot, Order::emulate_step, c.d);
      return true;
    case PTRACE_DETACH:
      result = go_on(slot, Order::go_on, c.d, true);
      return true;
    case PTRACE_LISTEN:
      result = listen(slot);
      return true;
    default:
      return false;
  }
}

// What looks at a stopped tracee or changes it.
long inspect(const Call& c, Slot& slot) {
  Body& body = body_of(slot);
  uint64_t word = c.d;
  switch (c.a) {
    case PTRACE_PEEKTEXT:
    case PTRACE_PEEKDATA:
      return peek(slot, c.c, c.d);
    case PTRACE_POKETEXT:
    case PTRACE_POKEDATA:
      return access_word(slot, c.c, &word, true);
    case PTRACE_PEEKUSR:
      return peek_user(body, c.c, c.d);
    case PTRACE_POKEUSR:
      return poke_user(body, c.c, c.d);
    case PTRACE_GETREGS:
      return get_bytes(c.d, &body.regs, sizeof body.regs);
    case PTRACE_SETREGS:
      return set_registers(body, c.d, sizeof body.regs);
    case PTRACE_GETFPREGS:
      return get_vector(body, c.d, fp_size);
    case PTRACE_SETFPREGS:
      return set_vector(body, c.d, fp_size);
    case PTRACE_GETREGSET:
    case PTRACE_SETREGSET:
      return register_set(body, c.c, c.d, c.a == PTRACE_SETREGSET);
    case PTRACE_GETSIGINFO:
    case PTRACE_SETSIGINFO:
      return signal_info(body, c.d, c.a == PTRACE_SETSIGINFO);
    case PTRACE_GETSIGMASK:
    case PTRACE_SETSIGMASK:
      return signal_mask(body, c.c, c.d, c.a == PTRACE_SETSIGMASK);
    case PTRACE_GETEVENTMSG:
      return put(c.d, body.message) ? 0 : -EFAULT;
    case PTRACE_GET_SYSCALL_INFO:
      return call_info(body, c.c, c.d);
    case PTRACE_SETOPTIONS:
      return set_options(slot, c.d);
    case PTRACE_ARCH_PRCTL:
      return thread_base(body, c.d, c.c);
    default:
      return -EIO;
  }
}

long interrupt(Slot& slot) {
  if (slot.seized == 0) return -EIO;
  slot.wanted |= ptrace::wants_trap;
  return ptrace::poke(slot.pid) ? 0 : -ESRCH;
}

}  // namespace

long sys_ptrace(Call& c) {
  if (host::is_native()) return -ENOSYS;
  if (c.a == PTRACE_TRACEME) return ptrace::trace_me(c.thread);
  const auto tid = static_cast<int>(c.b);
  if (c.a == PTRACE_ATTACH) return ptrace::attach(c.process, tid, false, 0);
  if (c.a == PTRACE_SEIZE) {
    if (c.c != 0 || (c.d & ~all_options) != 0) return -EIO;
    return ptrace::attach(c.process, tid, true, static_cast<uint32_t>(c.d));
  }
  Slot* slot = ptrace::tracee(c.process, tid);
  if (slot == nullptr) return -ESRCH;
  if (c.a == PTRACE_KILL) {
    raw::syscall(SYS_kill, slot->pid.load(), SIGKILL);
    return 0;
  }
  if (c.a == PTRACE_INTERRUPT) return interrupt(*slot);
  if (slot->phase != Phase::stopped) return -ESRCH;
  long result = 0;
  return is_order(c, *slot, result) ? result : inspect(c, *slot);
}

// Ids of threads that are traced mean their process, whose memory is theirs.
long sys_process_memory(Call& c) {
  if (host::is_native()) return -ENOSYS;
  return raw::syscall(c.nr, ptrace::process_of(static_cast<int>(c.a)), c.b, c.c, c.d, c.e, c.f);
}

}  // namespace osp::linux
