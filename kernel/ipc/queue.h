#pragma once

#include "kernel/ipc/handles.h"
#include "kernel/ipc/object.h"
#include "kernel/library/lock.h"
#include "kernel/task/wait.h"
#include "libosp/host/native.h"

namespace osp::kernel {

template <typename T>
class Pool;

// A message queue: a ring of cache lines. Senders wait while it is full, receivers while it is empty.
class Queue : public Object {
 public:
  static constexpr Kind object_kind = Kind::queue;
  static constexpr uint32_t max_capacity = 1024;

  // Null: no memory. `capacity` is in 1..max_capacity.
  [[nodiscard]] static Queue* create(uint32_t capacity);
  static void destroy(Queue* queue);

  // Puts ring 3's message in, with the object that it names in `handles`. EBADF EFAULT EINVAL EAGAIN ETIMEDOUT EINTR
  // EPIPE.
  [[nodiscard]] long send(const native::Message* user, Handles& handles, uint64_t deadline_ns);

  // Takes one out, into ring 3's memory and `handles`. EFAULT: it is still there.
  [[nodiscard]] long receive(native::Message* user, Handles& handles, uint64_t deadline_ns);

  // Both: sends it here, and receives the next one of `from` in its place.
  [[nodiscard]] long exchange(Queue& from, native::Message* user, Handles& handles, uint64_t deadline_ns);

  // The task that it belongs to has ended: what it holds is dropped, and every send is EPIPE from now on.
  void close();
  // A task that could send to it has ended: when it is empty, the next receive is EPIPE, once.
  void lose_sender();
  // Messages that it holds and can hold.
  struct Fill {
    uint32_t count, capacity;
  };
  [[nodiscard]] Fill fill();

  // For select. A waiter that watches is woken by each message; forget() it afterwards.
  [[nodiscard]] bool ready();
  void watch(Waiter& waiter);
  void forget(Waiter& waiter);

  // Messages are told to `thread` when nobody waits for them; null: to nobody. False: another thread has that.
  [[nodiscard]] bool notify(Thread* thread);
  void forget_notified(const Thread& thread);

 private:
  // A message as it lies here.
  struct Slot {
    uint64_t words[6];
    uint64_t carried;  // an Object*, which holds a reference; or what ring 3 has there for nothing
    uint64_t sender;

    [[nodiscard]] Object* object() const { return reinterpret_cast<Object*>(carried); }
  };
  static constexpr uint64_t carries_nothing = native::no_handle;  // and no flags
  static_assert(sizeof(Slot) == sizeof(native::Message) &&
                offsetof(Slot, carried) == offsetof(native::Message, handle));

  static constexpr uint32_t page_slots = 4096 / sizeof(Slot), max_pages = max_capacity / page_slots;

  explicit Queue(uint32_t capacity) : Object(Kind::queue), capacity_(capacity) {}
  ~Queue();
  friend class Pool<Queue>;

  [[nodiscard]] bool allocate();
  // Where the ring's next message is put, or taken from.
  struct Place {
    Slot* slot = nullptr;
    Slot* end = nullptr;  // of its page, or of the ring
    uint32_t page = 0;
  };
  void start_of_page(Place& place, uint32_t page);
  [[gnu::noinline, gnu::cold]] void next_page(Place& place);
  void advance(Place& place) {
    if (++place.slot != place.end) return;
    place.slot = pages_[0];
    if (capacity_ > page_slots) next_page(place);
  }
  [[nodiscard]] long put(const native::Message* user, Handles& handles);
  [[nodiscard]] long get(native::Message* user, Handles& handles);
  [[nodiscard, gnu::noinline]] long take_object(Slot& to, Handles& handles);
  [[nodiscard, gnu::noinline]] long get_with_object(Slot& from, native::Message* user, Handles& handles);
  void drop_messages();
  void tell_receivers();
  [[nodiscard]] long wait_in(WaiterList& list, uint64_t deadline_ns);
  [[nodiscard, gnu::noinline]] long wait_for_room(uint64_t deadline_ns);

  Spinlock lock_;
  uint32_t capacity_, count_ = 0;  // capacity 0: closed
  bool lost_sender_ = false;
  Place first_, free_;
  WaiterList senders_, receivers_;
  Thread* notified_ = nullptr;
  Slot* pages_[max_pages] = {};
};

}  // namespace osp::kernel
