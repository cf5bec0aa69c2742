#include "kernel/ipc/semaphore.h"

#include <cerrno>

#include "kernel/cpu/processor.h"
#include "kernel/library/pool.h"

namespace osp::kernel {
namespace {

constinit Pool<Semaphore> semaphores;

}  // namespace

Semaphore* Semaphore::create(uint32_t count) { return semaphores.make(count); }
void Semaphore::destroy(Semaphore* semaphore) { semaphores.drop(semaphore); }

long Semaphore::up() {
  Locked guard(lock_);
  if (count_ == UINT32_MAX) return -EOVERFLOW;
  ++count_;
  if (!waiters_.empty()) wake_some(waiters_, 1);
  return 0;
}

long Semaphore::down(uint64_t deadline_ns) {
  Waiter waiter(current());
  lock_.lock();
  long result = 0;
  while (count_ == 0 && result == 0) {
    if (deadline_ns == wait_not_at_all) {
      result = -EAGAIN;
      break;
    }
    prepare_wait();
    waiters_.push_back(waiter);
    lock_.unlock();
    const Wake reason = finish_wait(deadline_of(deadline_ns));
    lock_.lock();
    if (waiter.linked()) waiters_.remove(waiter);
    result = reason == Wake::woken ? 0 : error_of(reason);
  }
  if (result == 0) --count_;
  lock_.unlock();
  return result;
}

bool Semaphore::ready() {
  Locked guard(lock_);
  return count_ > 0;
}

void Semaphore::watch(Waiter& waiter) {
  Locked guard(lock_);
  waiters_.push_back(waiter);
}

void Semaphore::forget(Waiter& waiter) {
  Locked guard(lock_);
  if (waiter.linked()) waiters_.remove(waiter);
}

}  // namespace osp::kernel
