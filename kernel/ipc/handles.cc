#include "kernel/ipc/handles.h"

#include <cerrno>

#include "kernel/ipc/queue.h"
#include "kernel/memory/pages.h"

namespace osp::kernel {

Object** Handles::slot_of(int64_t handle) {
  if (handle < 0 || handle >= max_handles) return nullptr;
  Object** page = pages_[handle / page_slots];
  return page == nullptr ? nullptr : &page[handle % page_slots];
}

long Handles::add(Object* object) {
  Held<Object> held(object);
  Locked guard(lock_);
  for (uint32_t at = lowest_free_; at < max_handles; ++at) {
    Object**& page = pages_[at / page_slots];
    if (page == nullptr) {
      const uint64_t memory = allocate_clear_page();
      if (memory == 0) return -ENOMEM;
      page = static_cast<Object**>(physical_pointer(memory));
    }
    if (page[at % page_slots] != nullptr) continue;
    page[at % page_slots] = held.release();
    lowest_free_ = at + 1;
    return at;
  }
  return -EMFILE;
}

Object* Handles::hold(int64_t handle, Object::Kind kind) {
  Locked guard(lock_);
  Object** slot = slot_of(handle);
  Object* object = slot == nullptr ? nullptr : *slot;
  if (object == nullptr || object->kind() != kind) return nullptr;
  object->hold();
  return object;
}

Held<Object> Handles::find_movable(uint32_t handle) {
  Locked guard(lock_);
  Object** slot = slot_of(handle);
  if (slot == nullptr || *slot == nullptr || (*slot)->kind() == Object::Kind::space) return {};
  (*slot)->hold();
  return Held<Object>(*slot);
}

long Handles::take_out(int64_t handle, const Object::Kind* kind) {
  Held<Object> gone;
  Locked guard(lock_);
  Object** slot = slot_of(handle);
  if (slot == nullptr || *slot == nullptr || (kind != nullptr && (*slot)->kind() != *kind)) return -EBADF;
  gone.take(*slot);  // dropped when the lock is free again
  *slot = nullptr;
  generation_.fetch_add(1, std::memory_order_release);
  if (handle < lowest_free_) lowest_free_ = static_cast<uint32_t>(handle);
  return 0;
}

long Handles::close(int64_t handle) { return take_out(handle, nullptr); }
long Handles::close(int64_t handle, Object::Kind kind) { return take_out(handle, &kind); }

void Handles::close_all() {
  for (int64_t handle = 0; handle < max_handles; ++handle) {
    if (const Held<Queue> queue = find<Queue>(handle)) queue->lose_sender();
    (void)close(handle);
  }
}

uint32_t Handles::count(Object::Kind kind) {
  Locked guard(lock_);
  uint32_t found = 0;
  for (int64_t handle = 0; handle < max_handles; ++handle) {
    Object* const* slot = slot_of(handle);
    if (slot != nullptr && *slot != nullptr && (*slot)->kind() == kind) ++found;
  }
  return found;
}

}  // namespace osp::kernel
