#pragma once

#include <atomic>
#include <cstdint>

#include "kernel/ipc/object.h"
#include "kernel/library/lock.h"

namespace osp::kernel {

// A task's handles: small numbers for objects that it holds.
class Handles {
 public:
  static constexpr uint32_t max_handles = 8192;

  // A number for the object, whose reference is taken over. EMFILE, ENOMEM: it is dropped.
  [[nodiscard]] long add(Object* object);

  // The object, with a reference more; null: no such handle, or of another kind.
  template <typename T>
  [[nodiscard]] Held<T> find(int64_t handle) {
    return Held<T>(static_cast<T*>(hold(handle, T::object_kind)));
  }

  // Changes when a number may no longer name what it did.
  [[nodiscard]] uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

  // Of any kind that a message can carry: null for spaces.
  [[nodiscard]] Held<Object> find_movable(uint32_t handle);

  // EBADF: no such handle, or of another kind where one is wanted.
  [[nodiscard]] long close(int64_t handle);
  [[nodiscard]] long close(int64_t handle, Object::Kind kind);
  // At the end of the task: those who receive from its queues are told.
  void close_all();

  // For the task table.
  [[nodiscard]] uint32_t count(Object::Kind kind);

 private:
  static constexpr uint32_t page_slots = 512, page_count = max_handles / page_slots;

  Object** slot_of(int64_t handle);
  Object* hold(int64_t handle, Object::Kind kind);
  [[nodiscard]] long take_out(int64_t handle, const Object::Kind* kind);

  Spinlock lock_;
  Object** pages_[page_count] = {};
  uint32_t lowest_free_ = 0;  // no free number is below it
  std::atomic<uint64_t> generation_ = 0;
};

}  // namespace osp::kernel
