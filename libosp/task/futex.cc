#include "libosp/task/futex.h"

#include <cerrno>

#include "libosp/task/process.h"

namespace osp::task {

void Futexes::leave(Waiter& waiter) {
  const auto found = waiters_.find(waiter.key);
  if (found == waiters_.end()) return;
  found->second.remove(&waiter);
  if (found->second.empty()) waiters_.erase(found);
}

long Futexes::wait(Thread& thread, FutexKey key, const uint32_t* word, uint32_t expected, uint32_t bitset,
                   uint64_t deadline_ns) {
  uint32_t value = 0;
  if (osp_user_copy(&value, word, sizeof value) != 0) return -EFAULT;
  if (value != expected) return -EAGAIN;
  Waiter waiter{&thread, bitset, false, this, key};
  waiters_[key].push_back(&waiter);
  const Wake why = thread.process.scheduler.park(thread, deadline_ns, true);
  if (waiter.woken) return 0;
  waiter.in->leave(waiter);
  return why == Wake::timeout ? -ETIMEDOUT : static_cast<long>(restart_sys);
}

long Futexes::wake(FutexKey key, uint32_t bitset, long count) {
  const auto found = waiters_.find(key);
  if (found == waiters_.end()) return 0;
  Queue& queue = found->second;
  long woken = 0;
  for (auto it = queue.begin(); it != queue.end() && woken < count;) {
    Waiter* waiter = *it;
    if ((waiter->bitset & bitset) == 0) {
      ++it;
      continue;
    }
    it = queue.erase(it);
    waiter->woken = true;
    waiter->thread->process.scheduler.wake(*waiter->thread, Wake::woken);
    ++woken;
  }
  if (queue.empty()) waiters_.erase(found);
  return woken;
}

long Futexes::requeue(FutexKey key, long wake_count, Futexes& to, FutexKey target, long move) {
  const long woken = wake(key, ~0U, wake_count);
  const auto found = waiters_.find(key);
  if (found == waiters_.end() || move <= 0) return woken;
  Queue& goal = to.waiters_[target];
  Queue& from = found->second;
  long moved = 0;
  for (size_t left = from.size(); left > 0 && moved < move; --left) {
    from.front()->in = &to, from.front()->key = target;
    goal.push_back(from.front());
    from.pop_front();
    ++moved;
  }
  if (from.empty()) waiters_.erase(found);
  if (goal.empty()) to.waiters_.erase(target);
  return woken + moved;
}

FutexWord futex_word(Process& process, uint64_t address, bool is_private) {
  static Futexes shared;
  auto* word = reinterpret_cast<uint32_t*>(address);
  const memory::Area* area = is_private ? nullptr : process.memory.find(address);
  const bool has_pages = area != nullptr && (area->flags & MAP_SHARED) != 0 && area->backing != nullptr;
  if (!has_pages || area->backing->pages == nullptr) return {process.futexes, {nullptr, address}, word};
  return {shared, {area->backing->pages.get(), area->offset + (address - area->start)}, word};
}

}  // namespace osp::task
