#pragma once

#include <new>

#include "kernel/library/bytes.h"
#include "kernel/library/lock.h"
#include "kernel/memory/pages.h"

namespace osp::kernel {

// Objects of one type, cut out of pages; a page once taken stays the pool's.
template <typename T>
class Pool {
 public:
  // A new object that drop() must get back; null: no memory.
  template <typename... Args>
  [[nodiscard]] T* make(Args&&... args) {
    void* room = take();
    return room == nullptr ? nullptr : new (room) T(static_cast<Args&&>(args)...);
  }

  void drop(T* object) {
    object->~T();
    Locked guard(lock_);
    free_ = new (object) Free{free_};
  }

 private:
  struct Free {
    Free* next;
  };
  static_assert(sizeof(T) >= sizeof(Free) && sizeof(T) <= page_size);

  void* take() {
    Locked guard(lock_);
    if (free_ == nullptr) refill();
    Free* room = free_;
    if (room != nullptr) free_ = room->next;
    return room;
  }

  void refill() {
    const uint64_t page = allocate_page();
    if (page == 0) return;
    auto* bytes = static_cast<char*>(physical_pointer(page));
    for (size_t at = 0; at + sizeof(T) <= page_size; at += sizeof(T)) free_ = new (bytes + at) Free{free_};
  }

  Spinlock lock_;
  Free* free_ = nullptr;
};

}  // namespace osp::kernel
