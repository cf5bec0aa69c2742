#pragma once

#include <signal.h>
#include <time.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "libosp/host/native.h"
#include "libosp/trap/layout.h"

namespace osp::trap {

// Why the program came into the core.
enum class Kind : uint64_t {
  syscall = OSP_TRAP_SYSCALL,  // by a patched site or SIGSYS; nr in orig_rax
  fault = 1,                   // a synchronous signal of the program's own; its siginfo is in Worker::fault
  interrupt = 2,               // a signal or tick came while the program ran
  none = OSP_TRAP_NONE,        // something became pending before the program was reached
};

// The program's registers while it is in the core. Offsets are the assembly's (layout.h).
struct UserRegs {
  uint64_t rax = 0, rdi = 0, rsi = 0, rdx = 0, r10 = 0, r8 = 0, r9 = 0;
  uint64_t rbx = 0, rbp = 0, r12 = 0, r13 = 0, r14 = 0, r15 = 0;
  uint64_t rsp = 0, rip = 0, rcx = 0, r11 = 0, flags = 0x202;
  uint64_t fs_base = 0;
  uint64_t orig_rax = 0;
  Kind kind = Kind::none;
  uint64_t full = 1;            // all of it must be restored (rcx, r11, flags too), by iretq
  std::byte* vector = nullptr;  // an XSAVE area in standard form; xmm0–15 are saved at each entry
};
static_assert(offsetof(UserRegs, rsp) == OSP_REG_RSP && offsetof(UserRegs, rip) == OSP_REG_RIP);
static_assert(offsetof(UserRegs, kind) == OSP_REG_KIND && offsetof(UserRegs, vector) == OSP_REG_VECTOR);

inline constexpr size_t signal_ring_size = 256;
inline constexpr uint64_t fs_unknown = uint64_t{1} << 63;  // no address

// Signals that came while the core could not act on them, oldest first. Written by the signal handler,
// read by the core with `pending` cleared first; when it is full, further ones are dropped and counted.
struct SignalRing {
  volatile uint32_t head = 0;
  volatile uint32_t tail = 0;
  uint64_t dropped = 0;
  siginfo_t items[signal_ring_size];
};

// What calls are answered from without entering the core proper (fast.h); set before each way out to the program.
struct FastState {
  const uint8_t* calls = nullptr;  // fast_calls()
  long pid = 0, tid = 0;
  int64_t clock_offset_ns = 0;                                // the program's CLOCK_MONOTONIC minus the host's
  long (*host_clock)(long, timespec*) = nullptr;              // clock_gettime of the host's vDSO
  uint32_t parent = 0, uid = 0, euid = 0, gid = 0, egid = 0;  // natively
  const uint8_t* marks = nullptr;                             // FdMarks of each fd below mark_count
  size_t mark_count = 0;
  const struct FutexWaiters* futexes = nullptr;
  uint32_t core_fds_from = 0;  // fds from here on may be the core's own
  bool host_names = false;     // all names are the host's, but for some below /proc, and it knows all open directories
  bool interrupted = false;    // the call that now goes to the core was made, and a signal ended it
  uint64_t told = 0;           // calls by which the program may have learnt of what others did
};

// A host thread that runs fibers, in its osp_worker.
struct Worker {
  Worker* self = this;
  void* owner = nullptr;  // the task::Worker
  volatile uint64_t in_core = 1;
  volatile uint64_t pending = 0;  // look at ring and tick before going to the program or blocking
  UserRegs* regs = nullptr;       // of the thread that runs
  uint64_t core_rsp = 0;
  uint64_t fs = fs_unknown;  // what fs is; the core does not use it
  uint64_t iret[8] = {};     // a frame for iretq; natively a native::Resume
  uint64_t is_native = 0;    // the way out is the kernel's native::resume
  // There is no FSGSBASE: the host must be asked to set fs, and the program can change it by calls only.
  uint64_t bases_by_call = 0;
  FastState fast;
  volatile uint64_t tick = 0;     // the preemption tick has come
  volatile uint64_t message = 0;  // natively: a driver has sent something
  uint64_t clock_refused = 0;     // the host's vDSO cannot read its clocks: its functions are not called again
  volatile uint64_t caught = 0;   // calls that came by SIGSYS, for statistics
  volatile uint64_t control = 0;  // what the control signal carried; 0: it has not come
  siginfo_t fault = {};
  uint64_t fault_error = 0, fault_trap = 0;  // sigcontext's err and trapno
  uint64_t host_mask = 0;                    // the host's signal mask while the program runs
  SignalRing* ring = nullptr;                // set before the worker serves
};
static_assert(offsetof(Worker, regs) == OSP_WORKER_REGS && offsetof(Worker, iret) == OSP_WORKER_IRET);
static_assert(offsetof(Worker, is_native) == OSP_WORKER_NATIVE && sizeof(native::Resume) == sizeof(Worker::iret));
static_assert(offsetof(Worker, bases_by_call) == OSP_WORKER_BASES_BY_CALL);
static_assert(native::resume == OSP_NATIVE_RESUME && native::upcall_return == OSP_NATIVE_UPCALL_RETURN);
static_assert(offsetof(Worker, fs) == OSP_WORKER_FS && offsetof(Worker, fast) == OSP_WORKER_FAST);
static_assert(sizeof(Worker) <= OSP_WORKER_SIZE);

// Of osp_blocking_syscall's results.
inline bool was_interrupted(long result) { return result == -EINTR || result == OSP_NOT_BEGUN; }

inline Worker& worker() {
  Worker* self;
  asm volatile("mov %%gs:osp_worker@tpoff, %0" : "=r"(self));
  return *self;
}

}  // namespace osp::trap

extern "C" {

extern __thread std::byte osp_worker[OSP_WORKER_SIZE];

// Leaves the core for the program whose registers are in worker().regs, and returns when it traps.
// Returns at once with kind none if worker().pending is set. Must be called on a fiber's stack.
void osp_resume();
void osp_trap_entry();

// A system call that may block, refused with OSP_NOT_BEGUN when worker().pending is set, with no gap between the check
// and the call. One that was made and interrupted returns -EINTR.
long osp_blocking_syscall(long nr, long a, long b, long c, long d, long e, long f);

// Copies between the core and the program's memory; return 0 or -EFAULT, having copied a part. Not
// for signal handlers. The same by words for strings: the length without the NUL, -EFAULT, or
// -ENAMETOOLONG when there is none within `size`.
long osp_user_copy(void* to, const void* from, size_t size);
long osp_user_string(char* to, const char* from, size_t size);
// Writes two words to the program's memory; 0 or -EFAULT.
long osp_user_store(void* to, uint64_t first, uint64_t second);
// Atomically: where the program's `word` is `*seen` it becomes `wanted`, 0; else 1, and `*seen` is what it is. -EFAULT.
long osp_user_exchange(void* word, uint32_t* seen, uint32_t wanted);

}  // extern "C"
