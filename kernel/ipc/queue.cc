#include "kernel/ipc/queue.h"

#include <cerrno>

#include "kernel/cpu/processor.h"
#include "kernel/cpu/user_copy.h"
#include "kernel/library/pool.h"
#include "kernel/task/task.h"

namespace osp::kernel {
namespace {

constinit Pool<Queue> queues;

constexpr uint64_t no_handle_and_no_flags = native::no_handle;

}  // namespace

Queue* Queue::create(uint32_t capacity) {
  Queue* queue = queues.make(capacity);
  if (queue != nullptr && !queue->allocate()) {
    destroy(queue);
    return nullptr;
  }
  return queue;
}

void Queue::destroy(Queue* queue) { queues.drop(queue); }

bool Queue::allocate() {
  for (uint32_t i = 0; i * page_slots < capacity_; ++i) {
    const uint64_t page = allocate_page();
    if (page == 0) return false;
    pages_[i] = static_cast<Slot*>(physical_pointer(page));
  }
  return true;
}

void Queue::drop_messages() {
  for (; count_ > 0; --count_, first_ = (first_ + 1) % capacity_)
    if (Object* carried = slot(first_).carried; carried != nullptr) carried->drop();
}

Queue::~Queue() {
  drop_messages();
  for (Slot* page : pages_)
    if (page != nullptr) drop_page(physical_address(page));
}

long Queue::send(const native::Message* user, Handles& handles, uint64_t deadline_ns) {
  if (reinterpret_cast<uint64_t>(user) > user_end - sizeof *user) return -EFAULT;
  lock_.lock();
  long result = 0;
  while (count_ == capacity_ && result == 0) result = wait_in(senders_, deadline_ns);
  if (result == 0) result = put(user, handles);
  lock_.unlock();
  return result;
}

long Queue::exchange(Queue& from, native::Message* user, Handles& handles, uint64_t deadline_ns) {
  const long result = send(user, handles, deadline_ns);
  return result != 0 ? result : from.receive(user, handles, deadline_ns);
}

long Queue::put(const native::Message* user, Handles& handles) {
  uint32_t at = first_ + count_;
  if (at >= capacity_) at -= capacity_;
  Slot& to = slot(at);
  if (const long result = osp_copy_line(&to, user); result != 0) return result;
  const uint64_t wanted = reinterpret_cast<uint64_t>(to.carried);
  to.carried = nullptr;
  to.sender = current().task->number();
  if (wanted != no_handle_and_no_flags) {
    if (wanted >> 32 != 0) return -EINVAL;  // flags
    Held<Object> carried = handles.find_movable(static_cast<uint32_t>(wanted));
    if (!carried) return -EBADF;
    if (carried.get() == this) return -EINVAL;  // it would never go
    to.carried = carried.release();
  }
  ++count_;
  tell_receivers();
  return 0;
}

void Queue::tell_receivers() {
  Waiter* first = receivers_.pop_front();
  if (first != nullptr) {
    const bool takes = !first->watches;  // its memory is gone when it has been woken
    if ((wake(first->thread, Wake::woken) && takes) || wake_some(receivers_, 1) > 0) return;
  }
  if (count_ == 1 && notified_ != nullptr) post_event(*notified_, pending_message);
}

long Queue::receive(native::Message* user, Handles& handles, uint64_t deadline_ns) {
  if (reinterpret_cast<uint64_t>(user) > user_end - sizeof *user) return -EFAULT;
  lock_.lock();
  long result = 0;
  while (count_ == 0 && result == 0) result = wait_in(receivers_, deadline_ns);
  if (result == 0) result = get(user, handles);
  lock_.unlock();
  return result;
}

long Queue::get(native::Message* user, Handles& handles) {
  Slot& from = slot(first_);
  long result = 0;
  if (from.carried != nullptr) {
    result = get_with_object(from, user, handles);
  } else {
    from.carried = reinterpret_cast<Object*>(no_handle_and_no_flags);
    result = osp_copy_line(user, &from);
    from.carried = nullptr;
  }
  if (result != 0) return result;
  if (++first_ == capacity_) first_ = 0;
  --count_;
  if (!senders_.empty()) wake_some(senders_, 1);
  return 0;
}

// A receiver without room for one more handle gets the message without it.
long Queue::get_with_object(Slot& from, native::Message* user, Handles& handles) {
  Object* carried = from.carried;
  carried->hold();
  const long handle = handles.add(carried);
  Slot copy = from;
  copy.carried = reinterpret_cast<Object*>(handle < 0 ? no_handle_and_no_flags : static_cast<uint64_t>(handle));
  const long result = osp_copy_line(user, &copy);
  if (result != 0 && handle >= 0) (void)handles.close(handle);
  if (result != 0) return result;
  from.carried = nullptr;
  carried->drop();
  return 0;
}

// Here, since nothing is to be had at once: a queue that works is not asked.
long Queue::wait_in(WaiterList& list, uint64_t deadline_ns) {
  if (capacity_ == 0) return -EPIPE;
  if (&list == &receivers_ && lost_sender_) {
    lost_sender_ = false;
    return -EPIPE;
  }
  if (deadline_ns == wait_not_at_all) return -EAGAIN;
  Waiter waiter(current());
  prepare_wait();
  list.push_back(waiter);
  lock_.unlock();
  const Wake reason = deadline_ns == wait_for_ever ? finish_wait(for_ever) : finish_wait(deadline_of(deadline_ns));
  lock_.lock();
  if (waiter.linked()) list.remove(waiter);
  return reason == Wake::woken ? 0 : error_of(reason);
}

bool Queue::ready() {
  Locked guard(lock_);
  return count_ > 0 || lost_sender_;
}

Queue::Fill Queue::fill() {
  Locked guard(lock_);
  return {count_, capacity_};
}

// Nobody can receive any more: the handle was the task's alone, or a message's.
void Queue::close() {
  Locked guard(lock_);
  drop_messages();
  capacity_ = first_ = 0;
  wake_some(senders_, ~uint32_t{0});
}

void Queue::lose_sender() {
  Locked guard(lock_);
  lost_sender_ = true;
  wake_some(receivers_, ~uint32_t{0});
  if (count_ == 0 && notified_ != nullptr) post_event(*notified_, pending_message);
}

void Queue::watch(Waiter& waiter) {
  Locked guard(lock_);
  receivers_.push_back(waiter);
}

void Queue::forget(Waiter& waiter) {
  Locked guard(lock_);
  if (waiter.linked()) receivers_.remove(waiter);
}

bool Queue::notify(Thread* thread) {
  Locked guard(lock_);
  if (notified_ != nullptr && notified_ != thread) return false;
  notified_ = thread;
  if (count_ > 0) post_event(*thread, pending_message);
  return true;
}

void Queue::forget_notified(const Thread& thread) {
  Locked guard(lock_);
  if (notified_ == &thread) notified_ = nullptr;
}

}  // namespace osp::kernel
