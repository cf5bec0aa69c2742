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
    Object* carried;  // holds a reference
    uint64_t sender;
  };
  static_assert(sizeof(Slot) == sizeof(native::Message) &&
                offsetof(Slot, carried) == offsetof(native::Message, handle));

  static constexpr uint32_t page_slots = 4096 / sizeof(Slot), max_pages = max_capacity / page_slots;

  explicit Queue(uint32_t capacity) : Object(Kind::queue), capacity_(capacity) {}
  ~Queue();
  friend class Pool<Queue>;

  [[nodiscard]] bool allocate();
  Slot& slot(uint32_t at) { return pages_[at / page_slots][at % page_slots]; }
  [[nodiscard]] long put(const native::Message* user, Handles& handles);
  [[nodiscard]] long get(native::Message* user, Handles& handles);
  [[nodiscard, gnu::noinline]] long get_with_object(Slot& from, native::Message* user, Handles& handles);
  void drop_messages();
  void tell_receivers();
  [[nodiscard]] long wait_in(WaiterList& list, uint64_t deadline_ns);

  Spinlock lock_;
  uint32_t capacity_, first_ = 0, count_ = 0;  // capacity 0: closed
  bool lost_sender_ = false;
  WaiterList senders_, receivers_;
  Thread* notified_ = nullptr;
  Slot* pages_[max_pages] = {};
};

}  // namespace osp::kernel
