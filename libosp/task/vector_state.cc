#include "libosp/task/vector_state.h"

#include "libosp/task/worker.h"
#include "libosp/trap/vector.h"

namespace osp::task {

void save_vector_state(Thread& thread) {
  if (this_worker().vector_owner == &thread) trap::vector::save(thread.regs.vector);
}

void drop_vector_state(Thread& thread) {
  if (this_worker().vector_owner == &thread) this_worker().vector_owner = nullptr;
}

void suspend_vector_state(Thread& thread) {
  save_vector_state(thread);
  drop_vector_state(thread);
}

void load_vector_state(Thread& thread) {
  if (this_worker().vector_owner == &thread) return;
  trap::vector::load(thread.regs.vector);
  this_worker().vector_owner = &thread;
}

}  // namespace osp::task
