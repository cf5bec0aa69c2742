// fork(2), wait(2), and how processes stand to each other. Threads are as hosted.
#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>

#include <algorithm>

#include "libosp/file/files.h"
#include "libosp/linux/calls.h"
#include "libosp/native/calls.h"
#include "libosp/native/process_file.h"
#include "libosp/native/processes.h"

namespace osp::native {

using linux::get;
using linux::put;

namespace {

constexpr uint64_t namespaces =
    CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP;

// A pid as the caller gives it: 0 is itself.
Member* named(Call& c, uint64_t pid) {
  Processes& all = Processes::of(c.process);
  return static_cast<int>(pid) == 0 ? &all.member(c.process) : all.find(static_cast<int>(pid));
}

long clone_process(Call& c) {
  const uint64_t flags = c.a, stack = c.b, parent_tid = c.c, child_tid = c.d, tls = c.e;
  const bool vfork = (flags & CLONE_VFORK) != 0;
  if ((flags & CLONE_VM) != 0 && !vfork) return -ENOSYS;  // docs/caveats.md
  if ((flags & (CLONE_SIGHAND | CLONE_FILES | namespaces | CLONE_PARENT)) != 0) return -EINVAL;
  constexpr uint64_t pidfd_and_tid = CLONE_PIDFD | CLONE_PARENT_SETTID;  // clone(2) has one place for both
  if ((flags & pidfd_and_tid) == pidfd_and_tid) return -EINVAL;
  if ((flags & CLONE_SETTLS) != 0 && tls >= linux::program_end) return -EPERM;
  const auto prepare = [=](task::Thread& thread) {
    if (stack != 0) thread.regs.rsp = stack;
    if ((flags & CLONE_SETTLS) != 0) thread.regs.fs_base = tls;
    if ((flags & CLONE_CHILD_SETTID) != 0) put(child_tid, thread.tid);
    if ((flags & CLONE_CHILD_CLEARTID) != 0) thread.clear_child_tid = child_tid;
  };
  const auto made = [&](const Member& child) {
    if ((flags & CLONE_PARENT_SETTID) != 0) put(parent_tid, child.pid);
    if ((flags & CLONE_PIDFD) == 0) return;
    put(parent_tid, static_cast<int>(c.process.files->install(std::make_shared<ProcessFile>(child, O_RDWR), true)));
  };
  const Birth birth = !vfork ? Birth::plain : (flags & CLONE_VM) != 0 ? Birth::borrows : Birth::awaited;
  return Processes::of(c.process).fork(c.thread, birth, prepare, made);
}

// Begins again at each change of a child until one is what was asked for; 0 where the caller does not wait.
long wait_for(Call& c, const WaitFor& wanted, bool waits, const std::function<long(const Change&)>& tell) {
  Processes& all = Processes::of(c.process);
  Member& self = all.member(c.process);
  for (bool signalled = false;;) {  // what the signal tells of comes first
    const auto change = all.look(self, wanted);
    if (!change) return -change.error().code;
    if (*change) return tell(**change);
    if (!waits) return 0;
    if (signalled) return task::restart_sys;
    signalled = task::wait_on(c.thread, self.children_changed) == task::Wake::signal;
  }
}

WaitFor children_of_pid(const Member& self, int pid) {
  if (pid == -1) return {};
  if (pid > 0) return {.who = WaitFor::Who::pid, .id = pid};
  return {.who = WaitFor::Who::group, .id = pid == 0 ? self.group : -pid};
}

// What wait(2) has as a status, as waitid(2) has it.
void describe(const Change& change, siginfo_t& info) {
  const int status = change.wait_status;
  info.si_signo = SIGCHLD;
  info.si_pid = change.pid, info.si_uid = change.uid;
  if (WIFEXITED(status)) {
    info.si_code = CLD_EXITED, info.si_status = WEXITSTATUS(status);
  } else if (WIFSTOPPED(status)) {
    info.si_code = CLD_STOPPED, info.si_status = WSTOPSIG(status);
  } else if (WIFCONTINUED(status)) {
    info.si_code = CLD_CONTINUED, info.si_status = SIGCONT;
  } else {
    info.si_code = CLD_KILLED, info.si_status = WTERMSIG(status);
  }
}

}  // namespace

long sys_clone(Call& c) {
  if ((c.a & CLONE_THREAD) != 0) return linux::sys_clone(c);
  return clone_process(c);
}

long sys_fork(Call& c) {
  return Processes::of(c.process).fork(
      c.thread, Birth::plain, [](task::Thread&) {}, [](const Member&) {});
}
long sys_vfork(Call& c) {
  return Processes::of(c.process).fork(
      c.thread, Birth::borrows, [](task::Thread&) {}, [](const Member&) {});
}

long sys_exit(Call& c) {
  if (c.process.single_threaded()) {
    c.process.leave_all(W_EXITCODE(static_cast<int>(c.a) & 0xff, 0));
  } else {
    c.thread.exiting = true;
    if (!c.process.ending) c.process.exit_status = W_EXITCODE(static_cast<int>(c.a) & 0xff, 0);
  }
  return 0;
}

long sys_exit_group(Call& c) {
  c.process.leave_all(W_EXITCODE(static_cast<int>(c.a) & 0xff, 0));
  return 0;
}

long sys_wait4(Call& c) {
  constexpr uint64_t known = WNOHANG | WUNTRACED | WCONTINUED | __WALL | __WCLONE | __WNOTHREAD;
  if ((c.c & ~known) != 0) return -EINVAL;
  WaitFor wanted = children_of_pid(Processes::of(c.process).member(c.process), static_cast<int>(c.a));
  wanted.stopped = (c.c & WUNTRACED) != 0, wanted.continued = (c.c & WCONTINUED) != 0;
  return wait_for(c, wanted, (c.c & WNOHANG) == 0, [&](const Change& change) -> long {
    if (c.b != 0 && !put(c.b, change.wait_status)) return -EFAULT;
    if (c.d != 0 && !put(c.d, change.usage)) return -EFAULT;
    return change.pid;
  });
}

long sys_waitid(Call& c) {
  constexpr uint64_t states = WEXITED | WSTOPPED | WCONTINUED;
  constexpr uint64_t known = states | WNOHANG | WNOWAIT | __WALL | __WCLONE | __WNOTHREAD;
  if ((c.d & ~known) != 0 || (c.d & states) == 0) return -EINVAL;
  WaitFor wanted;
  const auto id = static_cast<int>(c.b);
  if (c.a == P_PID) {
    if (id <= 0) return -EINVAL;
    wanted = {.who = WaitFor::Who::pid, .id = id};
  } else if (c.a == P_PGID) {
    wanted = {.who = WaitFor::Who::group, .id = id == 0 ? Processes::of(c.process).member(c.process).group : id};
  } else if (c.a == P_PIDFD) {
    const auto file = std::dynamic_pointer_cast<ProcessFile>(c.process.files->share(id));
    if (file == nullptr) return -EBADF;
    wanted = {.who = WaitFor::Who::pid, .id = file->pid()};
  } else if (c.a != P_ALL) {
    return -EINVAL;
  }
  wanted.exited = (c.d & WEXITED) != 0, wanted.stopped = (c.d & WSTOPPED) != 0;
  wanted.continued = (c.d & WCONTINUED) != 0, wanted.keep = (c.d & WNOWAIT) != 0;
  siginfo_t info = {};
  rusage usage = {};
  const long result = wait_for(c, wanted, (c.d & WNOHANG) == 0, [&](const Change& change) -> long {
    describe(change, info);
    usage = change.usage;
    return 0;
  });
  if (result != 0) return result;
  if (c.c != 0 && !put(c.c, info)) return -EFAULT;
  return c.e == 0 || put(c.e, usage) ? 0 : -EFAULT;
}

long sys_getppid(Call& c) { return Processes::of(c.process).member(c.process).parent; }
long sys_getpgrp(Call& c) { return Processes::of(c.process).member(c.process).group; }

long sys_getpgid(Call& c) {
  const Member* member = named(c, c.a);
  return member == nullptr ? -ESRCH : member->group;
}

long sys_getsid(Call& c) {
  const Member* member = named(c, c.a);
  return member == nullptr ? -ESRCH : member->session;
}

long sys_setpgid(Call& c) {
  Processes& all = Processes::of(c.process);
  const Member& self = all.member(c.process);
  Member* member = named(c, c.a);
  const int group = static_cast<int>(c.b) == 0 && member != nullptr ? member->pid : static_cast<int>(c.b);
  if (group < 0) return -EINVAL;
  if (member == nullptr || (member != &self && member->parent != self.pid)) return -ESRCH;
  if (member != &self && member->executed) return -EACCES;
  if (member->session == member->pid || member->session != self.session) return -EPERM;
  const auto others = all.group(group);
  const bool in_session =
      std::any_of(others.begin(), others.end(), [&](const Member* other) { return other->session == self.session; });
  if (group != member->pid && !in_session) return -EPERM;
  member->group = group;
  return 0;
}

long sys_setsid(Call& c) {
  Processes& all = Processes::of(c.process);
  Member& self = all.member(c.process);
  if (!all.group(self.pid).empty()) return -EPERM;
  self.session = self.group = self.pid;
  return self.pid;
}

}  // namespace osp::native
