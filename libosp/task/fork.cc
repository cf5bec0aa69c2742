#include "libosp/task/fork.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <algorithm>
#include <functional>

#include "base/log.h"
#include "base/raw_syscall.h"
#include "libosp/file/files.h"
#include "libosp/file/keeper.h"
#include "libosp/host/host.h"
#include "libosp/host/side.h"
#include "libosp/host/window.h"
#include "libosp/patch/site_patcher.h"
#include "libosp/ptrace/tracee.h"
#include "libosp/task/core_lock.h"
#include "libosp/task/host_timers.h"
#include "libosp/task/hot_pages.h"
#include "libosp/task/signals_held.h"
#include "libosp/task/vector_state.h"
#include "libosp/task/vfork_pages.h"
#include "libosp/task/worker.h"
#include "libosp/trap/raw_handler.h"
#include "libosp/trap/vector.h"

namespace osp::task {
namespace {

constexpr size_t signal_stack_size = 64 * 1024;

// Of a vfork, in the child: the socket whose closing lets the parent go on, and by which the parent says, by closing
// its end, that it has taken the pages, if memory is shared; and what memory there was.
[[gnu::section(".hot_data")]] int parent_socket = -1;
[[gnu::section(".hot_data")]] Layout given;
[[gnu::section(".hot_data")]] bool shares_memory = true;

// The child starts with one worker, one thread, and nothing pending.
void become_child(Thread& thread) {
  Process& p = thread.process;
  p.host_pid = raw::getpid();
  p.pid = p.host_pid;
  core_lock().be_alone();
  p.scheduler.forget_others(thread);
  workers().begin_with(this_worker());
  prepare_worker();
  trap::Worker& worker = trap::worker();
  worker.ring->tail = worker.ring->head;
  worker.pending = 0;
  worker.tick = 0;
  worker.control = 0;
  p.signals.pending.clear();
  host_timers().after_fork();
  thread.signals.pending.clear();
  p.futexes.clear();
  std::erase_if(p.threads, [&thread](auto& t) {
    if (t.get() == &thread) return false;
    static_cast<void>(t.release());  // its fiber's stack still refers to it; both are never touched again
    return true;
  });
  thread.tid = p.pid;
  p.had_threads = false;
  p.patcher->forget_unforked();
  p.memory.forget_unforked();
  keeper::after_fork();
  p.after_fork();
  ptrace::after_fork(thread);
  // The worker may not have been let (Workers::take_schedule_of); now it stays with this one.
  if (thread.schedule != nullptr) raw::syscall(SYS_sched_setattr, 0, thread.schedule.get(), 0);
}

// clone3(2) only where it must be: some containers know only clone(2).
long clone_on_host(NewProcess& wanted) {
  const uint64_t signal = (wanted.flags & CSIGNAL) != 0 ? wanted.flags & CSIGNAL : SIGCHLD;
  const uint64_t flags = wanted.flags & ~uint64_t{CSIGNAL};
  if (!wanted.cgroup && wanted.pids.empty()) return raw::syscall(SYS_clone, flags | signal, 0, &wanted.pidfd, 0, 0);
  clone_args args = {};
  args.flags = flags | (wanted.cgroup ? CLONE_INTO_CGROUP : 0);
  args.exit_signal = (flags & CLONE_PARENT) != 0 ? 0 : signal;
  args.pidfd = reinterpret_cast<uint64_t>(&wanted.pidfd);
  if (!wanted.pids.empty()) args.set_tid = reinterpret_cast<uint64_t>(wanted.pids.data());
  args.set_tid_size = wanted.pids.size();
  args.cgroup = static_cast<uint64_t>(wanted.cgroup.value_or(0));
  return raw::syscall(SYS_clone3, &args, sizeof args);
}

// fork(2); the child is a process of its own when this returns 0.
long host_fork(Thread& thread, NewProcess& wanted, const std::function<void()>& in_child) {
  keeper::before_fork();
  const SignalsHeld held;  // until the child can tell its own from the parent's
  const long child = clone_on_host(wanted);
  if (child != 0) {
    keeper::after_fork_in_parent();
    return child;
  }
  copy_hot_pages();
  in_child();
  become_child(thread);
  return 0;
}

// The parent's end and the child's; each is -1 where it is not (any more).
struct SocketPair {
  int of_parent = -1, of_child = -1;
  [[nodiscard]] bool is_whole() const { return of_parent >= 0 && of_child >= 0; }
  static SocketPair make() {
    int ends[2] = {-1, -1};
    if (raw::syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) return {};
    return {static_cast<int>(file::keep_fd(ends[0])), static_cast<int>(file::keep_fd(ends[1]))};
  }
  static void drop(int& end) {
    if (end >= 0) file::drop_fd(std::exchange(end, -1));
  }
};

// A child that was made by vfork forgets its parent: this one's child is not to keep it waiting.
void leave_parent() { SocketPair::drop(parent_socket); }

// Parks until the child has closed its end.
void await_child(Thread& thread, int fd) {
  const pollfd end = {fd, POLLIN, 0};
  char none = 0;
  while (raw::syscall(SYS_recvfrom, fd, &none, 1, MSG_DONTWAIT, 0, 0) == -EAGAIN)
    thread.process.scheduler.wait(thread, std::span(&end, 1), 0, false);
}

// While memory is shared other threads of the parent, and calls of the host for them, must not write to pages that are
// the child's to change: a page that the parent has written looks as one that the child has. They stand still until it
// is done. Where a tracer stops the parent meanwhile, they may come to the edge of the program, but not on.
void stop_others() {
  workers().stop_the_world();
  workers().end_host_calls();
}

void lend_memory(Thread& thread, long child, int fd) {
  thread.process.vforking = &thread;
  take_memory(thread.process, static_cast<int>(child), fd);  // not interruptible
  thread.process.vforking = nullptr;
}

long vfork_process(Thread& thread, NewProcess& wanted) {
  if (wanted.shares_memory) stop_others();
  SocketPair sockets = SocketPair::make();
  const long child = !sockets.is_whole() ? -EMFILE : host_fork(thread, wanted, [&] {
    SocketPair::drop(sockets.of_parent);
    leave_parent();
    parent_socket = sockets.of_child;
    shares_memory = wanted.shares_memory;
    if (shares_memory) given = layout_of(thread.process.memory);
  });
  if (child == 0) return 0;
  SocketPair::drop(sockets.of_child);
  ptrace::forked(thread, child);
  if (child > 0 && wanted.shares_memory) lend_memory(thread, child, sockets.of_parent);
  if (child > 0 && !wanted.shares_memory) await_child(thread, sockets.of_parent);
  SocketPair::drop(sockets.of_parent);  // the child, which may be waiting for this, goes on
  if (child > 0) ptrace::vfork_done(thread, static_cast<int>(child));
  return child;
}

}  // namespace

long fork_process(Thread& thread, NewProcess& wanted) {
  save_vector_state(thread);
  thread.process.patcher->forking();
  ptrace::before_fork(thread, wanted.flags, wanted.vfork);
  if (wanted.vfork) return vfork_process(thread, wanted);
  const long child = host_fork(thread, wanted, leave_parent);
  if (child != 0) ptrace::forked(thread, child);
  return child;
}

void release_vfork_parent() {
  if (Environment* environment = process().environment; environment != nullptr)
    return environment->gave_memory_back(process());
  if (parent_socket < 0) return;
  if (shares_memory) {  // else that the socket is closed is all that the parent waits for
    send_memory(process().memory, std::exchange(given, {}), parent_socket);
    char answer = 0;
    while (raw::read(parent_socket, &answer, 1) == -EINTR) {
    }
  }
  leave_parent();
}

void copy_thread(Thread& to, Thread& from) {
  save_vector_state(from);
  std::byte* area = to.regs.vector;
  std::copy_n(from.regs.vector, trap::vector::area_size(), area);
  to.regs = from.regs;
  to.regs.vector = area;
  to.regs.rax = 0;
  to.signals.mask = from.signals.mask;
  to.name = from.name;
  to.seccomp = from.seccomp;
  to.processors = from.processors;
  to.schedule = inherited(from.schedule);
}

// Until now the process's processor time was its only thread's.
static void begin_thread_clock(Thread& only) {
  timespec used = {};
  if (host::is_native() || raw::syscall(SYS_clock_gettime, CLOCK_PROCESS_CPUTIME_ID, &used) != 0) return;
  only.ran_ns = static_cast<uint64_t>(used.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(used.tv_nsec);
  only.since_ns = host_now_ns();
}

long make_thread(Thread& parent, const NewThread& wanted) {
  Process& p = parent.process;
  auto made = std::make_unique<Thread>(p, p.new_tid());
  Thread& thread = *made;
  copy_thread(thread, parent);
  if (wanted.stack != 0) thread.regs.rsp = wanted.stack;
  if (wanted.set_tls) thread.regs.fs_base = wanted.tls;
  thread.clear_child_tid = wanted.clear_child_tid;
  const int tid = thread.tid;
  if (wanted.parent_tid != 0) osp_user_copy(reinterpret_cast<void*>(wanted.parent_tid), &tid, sizeof tid);
  if (wanted.child_tid != 0) osp_user_copy(reinterpret_cast<void*>(wanted.child_tid), &tid, sizeof tid);
  if (!std::exchange(p.had_threads, true)) begin_thread_clock(parent);
  p.threads.push_back(std::move(made));
  p.scheduler.start(thread, [&thread] { run_thread(thread); });
  ptrace::made_thread(parent, thread);
  return tid;
}

void prepare_worker() {
  Worker& self = this_worker();
  self.host_tid = static_cast<int>(raw::call(SYS_gettid));
  if (self.signal_stack == 0)
    self.signal_stack = window::map(signal_stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  auto* const stack = reinterpret_cast<void*>(self.signal_stack);
  if (host::is_native()) {
    trap::take_upcalls(stack, signal_stack_size);
    return;
  }
  trap::install_stack(stack, signal_stack_size);
  if (const long result = trap::dispatch_system_calls(true); result < 0) {
    log::error("core", "this kernel has no Syscall User Dispatch ({}): Linux 5.11 or later is needed",
               describe(Error(static_cast<int>(-result))));
    host::end(125);
  }
}

}  // namespace osp::task
