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

[[gnu::noinline]] bool look_up(NamedQueue& named, int handle) {
  const uint64_t generation = handles().generation();
  Queue* queue = handles().find<Queue>(handle).release();
  if (queue == nullptr) return false;
  if (named.queue != nullptr) named.queue->drop();
  named = {queue, generation, handle};
  return true;
}

// Makes it the queue of that handle, which stays while the thread is in the call. False: there is no such queue.
bool name_queue(NamedQueue& named, int handle) {
  if (named.handle == handle && named.generation == handles().generation()) [[likely]]
    return true;
  return look_up(named, handle);
}

}  // namespace

long queue_make(uint32_t capacity) {
  if (capacity == 0 || capacity > Queue::max_capacity) return -EINVAL;
  Queue* queue = Queue::create(capacity);
  return queue == nullptr ? -ENOMEM : handles().add(queue);
}

[[gnu::flatten]] long message_send(int handle, const native::Message* message, uint64_t deadline_ns) {
  NamedQueue& queue = current().sends_to;
  return name_queue(queue, handle) ? queue.queue->send(message, handles(), deadline_ns) : -EBADF;
}

[[gnu::flatten]] long message_receive(int handle, native::Message* message, uint64_t deadline_ns) {
  NamedQueue& queue = current().receives_from;
  return name_queue(queue, handle) ? queue.queue->receive(message, handles(), deadline_ns) : -EBADF;
}

[[gnu::flatten]] long message_exchange(int to, int from, native::Message* message, uint64_t deadline_ns) {
  NamedQueue &target = current().sends_to, &source = current().receives_from;
  if (!name_queue(target, to) || !name_queue(source, from)) return -EBADF;
  return target.queue->exchange(*source.queue, message, handles(), deadline_ns);
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
