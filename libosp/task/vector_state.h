#pragma once

#include "libosp/task/thread.h"

// Whose upper vector state the processor holds (trap/vector.h).
namespace osp::task {

// The thread's area becomes complete; the processor keeps its copy.
void save_vector_state(Thread& thread);
// The area will be written: the processor's copy is not to be saved over it.
void drop_vector_state(Thread& thread);
// Before the thread's fiber is left: saved while MXCSR and the x87 control word are still the thread's
// (Boost.Context switches both), and out of the processor.
void suspend_vector_state(Thread& thread);
// Before the thread goes to the program.
void load_vector_state(Thread& thread);

}  // namespace osp::task
