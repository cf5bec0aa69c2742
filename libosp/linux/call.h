#pragma once

#include <cstdint>

#include "base/raw_syscall.h"
#include "libosp/task/process.h"

namespace osp::linux {

inline constexpr uint64_t program_end = 0x7fff'ffff'f000;  // Linux's TASK_SIZE_MAX: no address is behind it

// One system call as its handler sees it: the arguments in order, whatever they are.
struct Call {
  task::Thread& thread;
  task::Process& process;
  long nr;
  uint64_t a, b, c, d, e, f;

  template <class T>
  static T* pointer(uint64_t value) {
    return reinterpret_cast<T*>(value);
  }
};

// Returns the call's result: a value, minus an errno, or a task::Restart code.
using Handler = long (*)(Call&);

// Hands the call to the host as it is. It must not block for long, nor touch what the core keeps.
long forward(Call& call);
// The same for calls that block; a signal that the program would see ends them as on Linux.
long forward_blocking(Call& call);
// Begins with an fd: the core's own files answer EINVAL, all others go to the host.
long forward_fd(Call& call);
long forward_fd_blocking(Call& call);

// The host's call, interruptible: -EINTR becomes restart_sys (or `restart`). When a signal came before the call could
// be made it is restart_always, as if it had come before the program made its own.
long block_in_host(long nr, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0, uint64_t d = 0, uint64_t e = 0,
                   uint64_t f = 0, long restart = task::restart_sys);

// Waits until the host's fd is ready for `events`, unless this is the only thread, which blocks in the
// call itself. 0, a Restart code when a signal came, -ETIMEDOUT at the deadline (as Scheduler::wait() has it), or
// -EAGAIN at that of the socket.
long wait_ready(Call& call, int fd, short events, uint64_t deadline_ns = 0);
// The host's call on its fd `a` once that is ready for `events`; at once if it does not block.
long forward_when_ready(Call& call, short events);
// An fd that does not block is never waited for, nor is one that is not open for what `events` wants (POLLIN, POLLOUT).
bool must_not_wait(int fd, short events);

// Whether the number is the process's pid, or the tid of one of its threads.
bool is_own_id(const Call& call, uint64_t id);

// Copies from and to the program's memory; false: EFAULT.
template <class T>
bool get(uint64_t address, T& value) {
  return osp_user_copy(&value, reinterpret_cast<const void*>(address), sizeof value) == 0;
}
template <class T>
bool put(uint64_t address, const T& value) {
  return osp_user_copy(reinterpret_cast<void*>(address), &value, sizeof value) == 0;
}
// A string of the program's, at most `limit` bytes: EFAULT, ENAMETOOLONG.
Result<std::string> get_string(uint64_t address, size_t limit = 4096);
// A NULL-terminated array of strings (argv). EFAULT, E2BIG.
Result<std::vector<std::string>> get_strings(uint64_t address);

inline long to_long(const Result<void>& result) { return result ? 0 : -result.error().code; }
template <class T>
long to_long(const Result<T>& result) {
  return result ? static_cast<long>(*result) : -result.error().code;
}

}  // namespace osp::linux
