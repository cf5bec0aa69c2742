#pragma once

#include <optional>
#include <span>

#include "libosp/task/process.h"

namespace osp::task {

// What a child shall have of clone(2) and clone3(2) besides, which is the host's to do.
struct NewProcess {
  bool vfork = false;              // the parent waits until the child executes or ends
  bool shares_memory = true;       // of a vfork: what the child does to its memory is the parent's
  uint64_t flags = 0;              // name spaces, CLONE_PARENT, CLONE_PIDFD, the signal that tells its end (0: SIGCHLD)
  std::optional<int> cgroup = {};  // an fd: CLONE_INTO_CGROUP
  std::span<const pid_t> pids = {};  // set_tid
  int pidfd = -1;                    // out: with CLONE_PIDFD
};

// fork(2) on the host. Returns the child's pid, 0 in the child (whose only thread is a copy of `thread`),
// or minus an errno: those of clone3(2), and EMFILE of a vfork for which no socket can be had. With `vfork`, blocks
// until the child has called execve or ended, and then, if it `shares_memory`, takes over what the child wrote to
// memory, as if it had been shared (vfork(2)).
long fork_process(Thread& thread, NewProcess& wanted);

// The child of a vfork tells its parent that it is about to replace its memory or to end: the parent takes
// over the pages and goes on. No-op in other processes.
void release_vfork_parent();

// What a new thread has of the one that made it (fork(2), clone(2)): registers with the vector state, and 0 in rax; the
// signal mask; the name.
void copy_thread(Thread& to, Thread& from);

// clone(2) with CLONE_VM | CLONE_THREAD: a new thread that begins with the registers of `parent`, and
// returns its tid.
struct NewThread {
  uint64_t stack = 0;  // 0: the parent's
  uint64_t tls = 0;
  bool set_tls = false;
  uint64_t parent_tid = 0;  // addresses to write the tid to, or 0
  uint64_t child_tid = 0;
  uint64_t clear_child_tid = 0;
};
long make_thread(Thread& parent, const NewThread& wanted);

// Makes the caller's host thread take signals and the program's calls: alternate stack, dispatch. At a worker's start,
// and in a forked child.
void prepare_worker();

}  // namespace osp::task
