#include "kernel/ipc/select.h"

#include <cerrno>
#include <new>

#include "kernel/cpu/processor.h"
#include "kernel/ipc/queue.h"
#include "kernel/ipc/semaphore.h"

namespace osp::kernel {
namespace {

// One of the things that are waited for: a queue or a semaphore.
class Watched {
 public:
  Watched(Handles& handles, uint32_t handle)
      : waiter_(current(), true), queue_(handles.find<Queue>(handle)), semaphore_(handles.find<Semaphore>(handle)) {}

  [[nodiscard]] bool there() const { return static_cast<bool>(queue_) || static_cast<bool>(semaphore_); }
  [[nodiscard]] bool ready() { return queue_ ? queue_->ready() : semaphore_->ready(); }
  void watch() { queue_ ? queue_->watch(waiter_) : semaphore_->watch(waiter_); }
  void forget() { queue_ ? queue_->forget(waiter_) : semaphore_->forget(waiter_); }

 private:
  Waiter waiter_;
  Held<Queue> queue_;
  Held<Semaphore> semaphore_;
};

class Selection {
 public:
  ~Selection() {
    for (uint32_t i = 0; i < count_; ++i) at(i).~Watched();
  }

  bool add(Handles& handles, uint32_t handle) { return (new (room_[count_++]) Watched(handles, handle))->there(); }

  long mark(native::Ready* list) {
    long ready = 0;
    for (uint32_t i = 0; i < count_; ++i) ready += list[i].ready = at(i).ready() ? 1 : 0;
    return ready;
  }

  // 0: one of them may be ready now.
  long wait(int64_t deadline_ns) {
    prepare_wait();
    bool ready = false;
    for (uint32_t i = 0; i < count_; ++i) at(i).watch();
    for (uint32_t i = 0; i < count_ && !ready; ++i) ready = at(i).ready();
    if (ready) wake(current(), Wake::woken);
    const Wake reason = finish_wait(deadline_ns);
    for (uint32_t i = 0; i < count_; ++i) at(i).forget();
    return reason == Wake::woken ? 0 : error_of(reason);
  }

 private:
  Watched& at(uint32_t index) { return *std::launder(reinterpret_cast<Watched*>(room_[index])); }

  alignas(Watched) unsigned char room_[max_selected][sizeof(Watched)];
  uint32_t count_ = 0;
};
static_assert(sizeof(Selection) <= 4096);

}  // namespace

long select(native::Ready* list, uint32_t count, Handles& handles, uint64_t deadline_ns) {
  Selection selection;
  for (uint32_t i = 0; i < count; ++i)
    if (!selection.add(handles, list[i].handle)) return -EBADF;
  for (;;) {
    if (const long ready = selection.mark(list); ready > 0) return ready;
    if (deadline_ns == wait_not_at_all) return -EAGAIN;
    if (const long result = selection.wait(deadline_of(deadline_ns)); result != 0) return result;
  }
}

}  // namespace osp::kernel
