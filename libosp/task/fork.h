#pragma once

#include "libosp/task/process.h"

namespace osp::task {

// fork(2) on the host. Returns the child's pid, 0 in the child (whose only thread is a copy of `thread`),
// or minus an errno. With `vfork`, blocks until the child has called execve or ended, and then takes over
// what the child wrote to memory, as if it had been shared (vfork(2)).
// `host_flags` are the host's clone(2) flags that the child shall have besides: name spaces, CLONE_PARENT, the signal
// that tells its end (0: SIGCHLD).
long fork_process(Thread& thread, bool vfork, uint64_t host_flags = 0);

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
