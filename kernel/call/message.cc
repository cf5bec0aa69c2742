#include <cerrno>

#include "kernel/call/calls.h"
#include "kernel/cpu/processor.h"
#include "kernel/cpu/user_copy.h"
#include "kernel/ipc/queue.h"
#include "kernel/ipc/select.h"
#include "kernel/ipc/semaphore.h"
#include "kernel/task/task.h"

namespace osp::kernel::call {
namespace {

Handles& handles() { return current().task->handles(); }

}  // namespace

long queue_make(uint32_t capacity) {
  if (capacity == 0 || capacity > Queue::max_capacity) return -EINVAL;
  Queue* queue = Queue::create(capacity);
  return queue == nullptr ? -ENOMEM : handles().add(queue);
}

[[gnu::flatten]] long message_send(int handle, const native::Message* message, uint64_t deadline_ns) {
  Handles& mine = handles();
  Held<Queue> queue = mine.find<Queue>(handle);
  return queue ? queue->send(message, mine, deadline_ns) : -EBADF;
}

[[gnu::flatten]] long message_receive(int handle, native::Message* message, uint64_t deadline_ns) {
  Handles& mine = handles();
  Held<Queue> queue = mine.find<Queue>(handle);
  return queue ? queue->receive(message, mine, deadline_ns) : -EBADF;
}

[[gnu::flatten]] long message_exchange(int to, int from, native::Message* message, uint64_t deadline_ns) {
  Handles& mine = handles();
  Held<Queue> target = mine.find<Queue>(to), source = mine.find<Queue>(from);
  return target && source ? target->exchange(*source, message, mine, deadline_ns) : -EBADF;
}

long select(native::Ready* user, uint64_t count, uint64_t deadline_ns) {
  if (count == 0 || count > max_selected) return -EINVAL;
  native::Ready list[max_selected];
  if (const long result = copy_in(list, user, count * sizeof *list); result != 0) return result;
  const long ready = kernel::select(list, static_cast<uint32_t>(count), handles(), deadline_ns);
  if (ready < 0) return ready;
  const long result = copy_out(user, list, count * sizeof *list);
  return result != 0 ? result : ready;
}

long semaphore_make(uint32_t count) {
  Semaphore* semaphore = Semaphore::create(count);
  return semaphore == nullptr ? -ENOMEM : handles().add(semaphore);
}

long semaphore_up(int handle) {
  Held<Semaphore> semaphore = handles().find<Semaphore>(handle);
  return semaphore ? semaphore->up() : -EBADF;
}

long semaphore_down(int handle, uint64_t deadline_ns) {
  Held<Semaphore> semaphore = handles().find<Semaphore>(handle);
  return semaphore ? semaphore->down(deadline_ns) : -EBADF;
}

long handle_close(int handle) { return handles().close(handle); }

}  // namespace osp::kernel::call
