#pragma once

#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/raw_syscall.h"

// The host interface: what the core lives on, wherever it runs. Linux serves these calls as they are; the microkernel
// serves the same numbers, arguments and errnos. What is not written here is not relied on. Static glibc, libstdc++
// and Boost.Fiber make the same calls by themselves: so their numbers are Linux's, and they are all in `calls`.
//
// Beyond it are the host's devices, whose calls only the code of that device makes: on Linux its files, sockets,
// processes and signals (libosp/file, libosp/linux, libosp/trap), on the microkernel its messages and segments.
//
// Everything here takes and returns values as the kernel does: -4095..-1 is minus an errno. All of it may be called
// from a signal handler, by any thread, before libc is up. tests/libosp/host is the conformance suite of all hosts.
namespace osp::host {

// --- Memory (mmap(2), munmap(2), mprotect(2), madvise(2)) ------------------------------------------------------
// Pages are 4096 bytes. `size` is rounded up to pages, an address must be the start of one.

// Maps `size` bytes of zeroes, private to the address space, exactly at `address`. Memory is committed when it is
// touched. EEXIST: something is mapped there. EINVAL: size 0, or an address inside a page. ENOMEM.
inline long map_at(uintptr_t address, size_t size, int protection) {
  constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
  return raw::syscall(SYS_mmap, address, size, protection, flags, -1, 0);
}

// Takes the pages away; holes are fine. EINVAL: size 0, or an address inside a page.
inline long unmap(uintptr_t address, size_t size) { return raw::syscall(SYS_munmap, address, size); }

// PROT_NONE or a sum of PROT_READ, PROT_WRITE, PROT_EXEC. ENOMEM: a page of it is not mapped. EINVAL.
inline long protect(uintptr_t address, size_t size, int protection) {
  return raw::syscall(SYS_mprotect, address, size, protection);
}

// The contents may go: what is read there next is zero. Of memory that map_at() gave. ENOMEM EINVAL.
inline long discard(uintptr_t address, size_t size) { return raw::syscall(SYS_madvise, address, size, MADV_DONTNEED); }

// --- Threads (clone3(2), futex(2), sched_yield(2), set_tid_address(2), arch_prctl(2)) -------------------------
// libc starts them (libc_clone.cc: clone with CLONE_VM|FS|FILES|SIGHAND|THREAD|SYSVSEM|PARENT_SETTID|CHILD_CLEARTID)
// and ends them (exit). At a thread's end its cleared tid word becomes 0 and is woken. fs and gs belong to a thread,
// which begins with its creator's: arch_prctl (ARCH_SET_FS, ARCH_SET_GS) and the FSGSBASE instructions set them.

// Sleeps while `word` is `seen`, at the longest for `timeout` (relative, monotonic; null: without end). 0: woken, or
// for no reason. EAGAIN: it was another value. ETIMEDOUT. EINTR: a signal.
inline long wait_on(const std::atomic<uint32_t>& word, uint32_t seen, const timespec* timeout) {
  return raw::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, seen, timeout);
}

// Wakes up to `count` of those that sleep on `word`, of this address space; how many. Never blocks.
inline long wake(const std::atomic<uint32_t>& word, int count) {
  return raw::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count);
}

// Lets others run. Always 0.
inline long yield() { return raw::call(SYS_sched_yield); }

// --- Time and chance (clock_gettime(2), clock_nanosleep(2), getrandom(2)) --------------------------------------

// CLOCK_MONOTONIC in ns: never goes back, starts anywhere, the same for all threads.
inline int64_t monotonic_ns() {
  timespec now = {};
  raw::syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

// Sleeps until monotonic_ns() has reached `deadline_ns`: never less. 0, or EINTR at a signal.
inline long sleep_until(int64_t deadline_ns) {
  const timespec deadline = {deadline_ns / 1'000'000'000, deadline_ns % 1'000'000'000};
  return raw::syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, nullptr);
}

// Fills `to` from the host's cryptographic generator: all of it, when size is at most 256 bytes. May block only while
// the machine starts. EFAULT.
inline long random(void* to, size_t size) { return raw::syscall(SYS_getrandom, to, size, 0); }

// --- The console and the end (write(2), exit_group(2)) ---------------------------------------------------------

// Writes to the console; fd 1 and 2 are it until the program makes them something else. How many bytes it took.
inline long write_console(const void* data, size_t size) { return raw::write(2, data, size); }

// Ends the core and everything in its address space; `status & 0xff` is what the one who started it sees.
[[noreturn]] inline void end(int status) {
  for (;;) raw::syscall(SYS_exit_group, status);
}

// All of the calls above, and those that libc and libstdc++ make besides: what a host must serve.
inline constexpr std::array calls = {
    SYS_mmap,       SYS_munmap,    SYS_mprotect,       SYS_madvise,           SYS_clone3,          SYS_clone,
    SYS_exit,       SYS_futex,     SYS_sched_yield,    SYS_set_tid_address,   SYS_set_robust_list, SYS_arch_prctl,
    SYS_rseq,       SYS_gettid,    SYS_getpid,         SYS_sched_getaffinity, SYS_clock_gettime,   SYS_clock_nanosleep,
    SYS_getrandom,  SYS_prlimit64, SYS_rt_sigprocmask, SYS_rt_sigaction,      SYS_write,           SYS_writev,
    SYS_newfstatat, SYS_readlink,  SYS_exit_group};

}  // namespace osp::host
