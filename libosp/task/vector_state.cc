#include "libosp/task/vector_state.h"

#include "libosp/trap/vector.h"

namespace osp::task {
namespace {

Thread* in_processor = nullptr;

}  // namespace

void save_vector_state(Thread& thread) {
  if (in_processor == &thread) trap::vector::save(thread.regs.vector);
}

void drop_vector_state(Thread& thread) {
  if (in_processor == &thread) in_processor = nullptr;
}

void suspend_vector_state(Thread& thread) {
  save_vector_state(thread);
  drop_vector_state(thread);
}

void load_vector_state(Thread& thread) {
  if (in_processor == &thread) return;
  trap::vector::load(thread.regs.vector);
  in_processor = &thread;
}

}  // namespace osp::task
