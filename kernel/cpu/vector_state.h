#pragma once

namespace osp::kernel {

struct Thread;

// Turns on every vector register that the processor offers and the kernel has room for (XSAVE, Intel SDM 1 13).
void enable_vector_state();

// The registers of the current thread, which the kernel itself never touches, to and from the thread's area.
void save_vector_state(Thread& thread);
void load_vector_state(const Thread& thread);

// The state of a new program.
void clear_vector_state(Thread& thread);

}  // namespace osp::kernel
