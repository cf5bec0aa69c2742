#include "libosp/task/futex.h"

#include <cerrno>

#include "libosp/task/process.h"

namespace osp::task {

long Futexes::wait(Thread& thread, uint32_t* word, uint32_t expected, uint32_t bitset, uint64_t deadline_ns) {
  uint32_t value = 0;
  if (osp_user_copy(&value, word, sizeof value) != 0) return -EFAULT;
  if (value != expected) return -EAGAIN;
  Waiter waiter{&thread, bitset, false, word};
  waiters_[word].push_back(&waiter);
  const Wake why = thread.process.scheduler.park(thread, deadline_ns, true);
  if (waiter.woken) return 0;
  Queue& queue = waiters_[waiter.word];
  queue.remove(&waiter);
  if (queue.empty()) waiters_.erase(waiter.word);
  return why == Wake::timeout ? -ETIMEDOUT : static_cast<long>(restart_sys);
}

long Futexes::wake(uint32_t* word, uint32_t bitset, long count) {
  const auto found = waiters_.find(word);
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

long Futexes::requeue(uint32_t* word, long wake_count, uint32_t* target, long move) {
  const long woken = wake(word, ~0U, wake_count);
  const auto found = waiters_.find(word);
  if (found == waiters_.end() || move <= 0) return woken;
  Queue& to = waiters_[target];
  Queue& from = waiters_[word];
  long moved = 0;
  while (!from.empty() && moved < move) {
    from.front()->word = target;
    to.push_back(from.front());
    from.pop_front();
    ++moved;
  }
  if (from.empty()) waiters_.erase(word);
  if (to.empty()) waiters_.erase(target);
  return woken + moved;
}

}  // namespace osp::task
