#include "kernel/ipc/queue.h"

#include <cerrno>

#include "kernel/cpu/processor.h"
#include "kernel/cpu/user_copy.h"
#include "kernel/library/pool.h"
#include "kernel/task/task.h"

namespace osp::kernel {
namespace {

constinit Pool<Queue> queues;

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
  start_of_page(first_, 0);
  start_of_page(free_, 0);
  return true;
}

void Queue::start_of_page(Place& place, uint32_t page) {
  const uint32_t rest = capacity_ - page * page_slots;
  place = {pages_[page], pages_[page] + (rest < page_slots ? rest : page_slots), page};
}

void Queue::next_page(Place& place) {
  const uint32_t next = place.page + 1;
  start_of_page(place, next * page_slots < capacity_ ? next : 0);
}

void Queue::drop_messages() {
  for (; count_ > 0; --count_, advance(first_))
    if (const Slot& from = *first_.slot; from.carried != carries_nothing) from.object()->drop();
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
  if (count_ == capacity_) result = wait_for_room(deadline_ns);
  if (result == 0) result = put(user, handles);
  lock_.unlock();
  return result;
}

long Queue::wait_for_room(uint64_t deadline_ns) {
  long result = 0;
  while (count_ == capacity_ && result == 0) result = wait_in(senders_, deadline_ns);
  return result;
}

long Queue::exchange(Queue& from, native::Message* user, Handles& handles, uint64_t deadline_ns) {
  const long result = send(user, handles, deadline_ns);
  return result != 0 ? result : from.receive(user, handles, deadline_ns);
}

long Queue::put(const native::Message* user, Handles& handles) {
  Slot& to = *free_.slot;
  if (const long result = copy_line(&to, user); result != 0) return result;
  to.sender = current().task->number();
  if (to.carried != carries_nothing)
    if (const long result = take_object(to, handles); result != 0) return result;
  ++count_;
  advance(free_);
  tell_receivers();
  return 0;
}

// The object that the handle of ring 3's message names.
long Queue::take_object(Slot& to, Handles& handles) {
  if (to.carried >> 32 != 0) return -EINVAL;  // flags
  Held<Object> carried = handles.find_movable(static_cast<uint32_t>(to.carried));
  if (!carried) return -EBADF;
  if (carried.get() == this) return -EINVAL;  // it would never go
  to.carried = reinterpret_cast<uint64_t>(carried.release());
  return 0;
}

void Queue::tell_receivers() {
  if (!receivers_.empty()) {
    Waiter& first = *receivers_.pop_front();
    const bool takes = !first.watches;  // its memory is gone when it has been woken
    if ((wake(first.thread, Wake::woken) && takes) || wake_some(receivers_, 1) > 0) return;
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
  Slot& from = *first_.slot;
  const bool plain = from.carried == carries_nothing;
  const long result = plain ? copy_line(user, &from) : get_with_object(from, user, handles);
  if (result != 0) return result;
  advance(first_);
  --count_;
  if (!senders_.empty()) wake_some(senders_, 1);
  return 0;
}

// A receiver without room for one more handle gets the message without it.
long Queue::get_with_object(Slot& from, native::Message* user, Handles& handles) {
  Object* carried = from.object();
  carried->hold();
  const long handle = handles.add(carried);
  Slot copy = from;
  copy.carried = handle < 0 ? carries_nothing : static_cast<uint64_t>(handle);
  const long result = copy_line(user, &copy);
  if (result != 0 && handle >= 0) (void)handles.close(handle);
  if (result != 0) return result;
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
  prepare_wait();
  Waiter waiter(current());
  list.push_back(waiter);
  lock_.unlock();
  const Wake reason = deadline_ns == wait_for_ever ? finish_wait(for_ever) : finish_wait(deadline_of(deadline_ns));
  lock_.lock();
  if (reason == Wake::woken) [[likely]]
    return 0;  // who did has taken it out of the list
  if (waiter.linked()) list.remove(waiter);
  return error_of(reason);
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
  capacity_ = 0;
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
