#pragma once

#include <cstdint>

#include "kernel/task/thread.h"

namespace osp::kernel {

// The thread may run: puts it into its processor's queue, and tells that processor if it has to know.
void make_ready(Thread& thread);

// Gives up the processor. The current thread waits, has ended, or is in a queue already.
void switch_away();

// Lets others run first (sched_yield).
void yield_turn();

// The current thread's turn is over (by a timer, or for whom an interrupt has woken): others, if there are any, run
// before it goes back to ring 3.
void end_turn();

// Another processor has put something into this one's queue.
void see_new_work();

// Makes the space the one that the current thread runs in; its own reference is taken over by the thread.
void enter_space(Space& space);

// Loads no space of ring 3 any more, if `space` is the loaded one.
void leave_space(Space& space);

}  // namespace osp::kernel
