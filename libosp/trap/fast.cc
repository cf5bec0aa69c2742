// Calls that are answered without entering the core proper: no xmm is saved, and no other fiber can run. Compiled for
// general registers only. What is not plain is declined, and goes to the core.
#include "libosp/trap/fast.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include <cerrno>
#include <initializer_list>

#include "base/raw_syscall.h"
#include "libosp/trap/frame.h"

namespace osp::trap {
namespace {

constexpr long declined = static_cast<long>(OSP_FAST_DECLINED);
constexpr int64_t second_ns = 1'000'000'000;

FastState& state() { return worker().fast; }
long number() { return static_cast<long>(worker().regs->orig_rax); }

// FdMarks.
uint8_t marks_of(long fd) {
  const auto index = static_cast<uint32_t>(fd);
  return index < state().mark_count ? state().marks[index] : 0;
}

// Or the core's own, which is none for the program.
bool may_be_cores(long fd) { return static_cast<uint32_t>(fd) >= state().core_fds_from; }
bool is_served(long fd) { return may_be_cores(fd) || (marks_of(fd) & fd_is_served) != 0; }

bool never_waits(long fd) { return (marks_of(fd) & (fd_never_waits | fd_is_served)) == fd_never_waits; }

bool has_offset(long clock) {
  return clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_MONOTONIC_COARSE ||
         clock == CLOCK_BOOTTIME;
}

// The clocks that the host's vDSO reads without a call, where it can read any.
bool is_readable(long clock) {
  return has_offset(clock) || clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
}

void add(timespec& time, int64_t offset_ns) {
  time.tv_sec += offset_ns / second_ns;
  time.tv_nsec += offset_ns % second_ns;
  if (time.tv_nsec < 0) --time.tv_sec, time.tv_nsec += second_ns;
  if (time.tv_nsec >= second_ns) ++time.tv_sec, time.tv_nsec -= second_ns;
}

bool read_clock(long clock, timespec& now) {
  const FastState& s = state();
  if (s.host_clock == nullptr || s.host_clock(clock, &now) != 0) return false;
  if (s.clock_offset_ns != 0 && has_offset(clock)) add(now, s.clock_offset_ns);
  return true;
}

long store(long to, long first, long second) {
  return osp_user_store(reinterpret_cast<void*>(to), static_cast<uint64_t>(first), static_cast<uint64_t>(second));
}

long get_pid(long, long, long, long, long, long) { return state().pid; }
long get_tid(long, long, long, long, long, long) { return state().tid; }
long get_parent(long, long, long, long, long, long) { return state().parent; }
long get_uid(long, long, long, long, long, long) { return state().uid; }
long get_euid(long, long, long, long, long, long) { return state().euid; }
long get_gid(long, long, long, long, long, long) { return state().gid; }
long get_egid(long, long, long, long, long, long) { return state().egid; }

long clock_gettime(long clock, long to, long, long, long, long) {
  timespec now;
  if (!is_readable(clock) || !read_clock(clock, now)) return declined;
  return store(to, now.tv_sec, now.tv_nsec);
}

long gettimeofday(long to, long zone, long, long, long, long) {
  timespec now;
  if (to == 0 || zone != 0 || !read_clock(CLOCK_REALTIME, now)) return declined;
  return store(to, now.tv_sec, now.tv_nsec / 1000);
}

long time_in_seconds(long to, long, long, long, long, long) {
  timespec now;
  if (to != 0 || !read_clock(CLOCK_REALTIME_COARSE, now)) return declined;
  return now.tv_sec;
}

// Of a word that nobody waits for. The program's store to it comes before the look (FUTEX_WAKE in futex(2) is a
// barrier).
long futex_wake(long word, long operation, long, long, long, long) {
  if (operation != (FUTEX_WAKE | FUTEX_PRIVATE_FLAG) || word % static_cast<long>(sizeof(uint32_t)) != 0)
    return declined;
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const auto& count = state().futexes->count[FutexWaiters::place_of(static_cast<uint64_t>(word))];
  return count.load(std::memory_order_relaxed) == 0 ? 0 : declined;
}

long forward(long a, long b, long c, long d, long e, long f) { return raw::call(number(), a, b, c, d, e, f); }

long forward_fd(long fd, long b, long c, long d, long e, long f) {
  return is_served(fd) ? declined : raw::call(number(), fd, b, c, d, e, f);
}

// A call that a signal ended has done nothing: the core makes it again, and knows what is to become of it.
long make_of_host(long fd, long b, long c, long d, long e, long f) {
  const long result = osp_blocking_syscall(number(), fd, b, c, d, e, f);
  ++state().told;
  state().interrupted = result == -EINTR;
  return was_interrupted(result) ? declined : result;
}

long forward_waiting(long fd, long b, long c, long d, long e, long f) {
  return is_served(fd) ? declined : make_of_host(fd, b, c, d, e, f);
}

long forward_if_at_once(long fd, long b, long c, long d, long e, long f) {
  return never_waits(fd) ? make_of_host(fd, b, c, d, e, f) : declined;
}

// A name that the core would give to the host as it is.
bool is_host_name(long name) {
  constexpr char of_core[] = "/proc/";
  uint64_t head = 0, proc = 0;
  __builtin_memcpy(&proc, of_core, sizeof of_core - 1);
  if (!state().host_names || name == 0) return false;
  return osp_user_copy(&head, reinterpret_cast<const void*>(name), sizeof of_core - 1) == 0 && head != proc;
}

bool is_host_name_at(long fd, long name) {
  return (static_cast<int>(fd) == AT_FDCWD || !is_served(fd)) && is_host_name(name);
}

long look_up(long name, long b, long c, long d, long e, long f) {
  return is_host_name(name) ? forward(name, b, c, d, e, f) : declined;
}

long look_up_at(long fd, long name, long c, long d, long e, long f) {
  return is_host_name_at(fd, name) ? forward(fd, name, c, d, e, f) : declined;
}

long open(long name, long b, long c, long d, long e, long f) {
  return is_host_name(name) ? make_of_host(name, b, c, d, e, f) : declined;
}

long open_at(long fd, long name, long c, long d, long e, long f) {
  return is_host_name_at(fd, name) ? make_of_host(fd, name, c, d, e, f) : declined;
}

// Of a file of which the core has noted nothing.
long close(long fd, long b, long c, long d, long e, long f) {
  return may_be_cores(fd) || marks_of(fd) != 0 || !state().host_names ? declined : forward(fd, b, c, d, e, f);
}

long change_events(long set, long operation, long fd, long event, long e, long f) {
  if (is_served(set) || may_be_cores(fd)) return declined;
  ++state().told;
  return forward(set, operation, fd, event, e, f);
}

// epoll_wait(2), and epoll_pwait(2) without a mask. Begun anew in the core after a signal, it has all of its time
// again.
long wait_for_events(long fd, long to, long most, long timeout, long mask, long size) {
  const bool has_mask = number() == SYS_epoll_pwait && mask != 0;
  return has_mask ? declined : forward_waiting(fd, to, most, timeout, mask, size);
}

long look_for_events(long fd, long to, long most, long timeout, long mask, long size) {
  return static_cast<int>(timeout) != 0 ? declined : wait_for_events(fd, to, most, timeout, mask, size);
}

// A larger write may end early for a signal of ours, and the core would go on with it.
long write_at_once(long fd, long from, long size, long d, long e, long f) {
  return size > always_whole && !never_waits(fd) ? declined : forward_waiting(fd, from, size, d, e, f);
}

using Answer = long (*)(long, long, long, long, long, long);
enum Index : uint8_t {
  none,
  pid,
  tid,
  clock,
  day,
  seconds,
  host,
  host_fd,
  host_wait,
  small_write,
  parent,
  uid,
  euid,
  gid,
  egid,
  wake,
  host_at_once,
  event_wait,
  event_look,
  event_change,
  name_look,
  name_look_at,
  name_open,
  name_open_at,
  host_close
};

struct Numbers {
  uint8_t answer[OSP_FAST_CALLS] = {};
};

constexpr Numbers calls_without_host() {
  Numbers n;
  n.answer[SYS_getpid] = pid, n.answer[SYS_gettid] = tid;
  n.answer[SYS_futex] = wake;
  n.answer[SYS_clock_gettime] = clock, n.answer[SYS_gettimeofday] = day, n.answer[SYS_time] = seconds;
  return n;
}

constexpr Numbers calls_natively() {
  Numbers n = calls_without_host();
  n.answer[SYS_getppid] = parent, n.answer[SYS_getuid] = uid, n.answer[SYS_geteuid] = euid;
  n.answer[SYS_getgid] = gid, n.answer[SYS_getegid] = egid;
  return n;
}

constexpr Numbers never_blocking_calls() {
  Numbers n = calls_without_host();
  for (const int nr :
       {SYS_getppid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_getpgrp, SYS_times, SYS_getcpu})
    n.answer[nr] = host;
  for (const int nr : {SYS_lseek, SYS_fstat, SYS_getdents64}) n.answer[nr] = host_fd;
  for (const int nr : {SYS_pread64, SYS_pwrite64}) n.answer[nr] = host_wait;
  for (const int nr : {SYS_read, SYS_readv, SYS_recvfrom, SYS_recvmsg, SYS_write, SYS_writev, SYS_sendto, SYS_sendmsg})
    n.answer[nr] = host_at_once;
  for (const int nr : {SYS_epoll_wait, SYS_epoll_pwait}) n.answer[nr] = event_look;
  for (const int nr : {SYS_stat, SYS_lstat, SYS_access, SYS_readlink}) n.answer[nr] = name_look;
  for (const int nr : {SYS_newfstatat, SYS_statx, SYS_faccessat, SYS_faccessat2, SYS_readlinkat})
    n.answer[nr] = name_look_at;
  n.answer[SYS_close] = host_close;
  n.answer[SYS_epoll_ctl] = event_change;
  return n;
}

constexpr Numbers calls_alone() {
  Numbers n = never_blocking_calls();
  for (const int nr : {SYS_read, SYS_readv, SYS_recvfrom, SYS_recvmsg}) n.answer[nr] = host_wait;
  for (const int nr : {SYS_epoll_wait, SYS_epoll_pwait}) n.answer[nr] = event_wait;
  n.answer[SYS_write] = small_write;
  n.answer[SYS_open] = name_open, n.answer[SYS_openat] = name_open_at;
  n.answer[SYS_sched_yield] = host;
  return n;
}

// By Fast.
constexpr Numbers tables[] = {{}, calls_natively(), calls_without_host(), never_blocking_calls(), calls_alone()};

}  // namespace

const uint8_t* fast_calls(Fast which) { return tables[static_cast<size_t>(which)].answer; }

}  // namespace osp::trap

extern "C" {

// By osp::trap::Index; entry.S calls these.
extern const osp::trap::Answer osp_fast_answers[];
const osp::trap::Answer osp_fast_answers[] = {nullptr,
                                              osp::trap::get_pid,
                                              osp::trap::get_tid,
                                              osp::trap::clock_gettime,
                                              osp::trap::gettimeofday,
                                              osp::trap::time_in_seconds,
                                              osp::trap::forward,
                                              osp::trap::forward_fd,
                                              osp::trap::forward_waiting,
                                              osp::trap::write_at_once,
                                              osp::trap::get_parent,
                                              osp::trap::get_uid,
                                              osp::trap::get_euid,
                                              osp::trap::get_gid,
                                              osp::trap::get_egid,
                                              osp::trap::futex_wake,
                                              osp::trap::forward_if_at_once,
                                              osp::trap::wait_for_events,
                                              osp::trap::look_for_events,
                                              osp::trap::change_events,
                                              osp::trap::look_up,
                                              osp::trap::look_up_at,
                                              osp::trap::open,
                                              osp::trap::open_at,
                                              osp::trap::close};

}  // extern "C"
