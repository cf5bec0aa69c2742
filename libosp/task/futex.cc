#include "libosp/task/futex.h"

#include <cerrno>
#include <vector>

#include "libosp/task/process.h"

namespace osp::task {

// Multiplied as by Knuth (TAOCP 3, 6.4).
Futexes::Bucket& Futexes::bucket_of(FutexKey key) {
  constexpr uint64_t golden = 0x9e37'79b9'7f4a'7c15;
  return buckets_[(reinterpret_cast<uintptr_t>(key.memory) + key.at) * golden >> (64 - bucket_bits)];
}

void Futexes::add(Waiter& waiter) {
  Bucket& bucket = bucket_of(waiter.key);
  waiter.in = this;
  waiter.next = nullptr;
  waiter.previous = bucket.last;
  (bucket.last == nullptr ? bucket.first : bucket.last->next) = &waiter;
  bucket.last = &waiter;
}

void Futexes::remove(Waiter& waiter) {
  Bucket& bucket = bucket_of(waiter.key);
  (waiter.previous == nullptr ? bucket.first : waiter.previous->next) = waiter.next;
  (waiter.next == nullptr ? bucket.last : waiter.next->previous) = waiter.previous;
}

long Futexes::wait(Thread& thread, FutexKey key, const uint32_t* word, uint32_t expected, uint32_t bitset,
                   uint64_t deadline_ns) {
  uint32_t value = 0;
  if (osp_user_copy(&value, word, sizeof value) != 0) return -EFAULT;
  if (value != expected) return -EAGAIN;
  Waiter waiter{&thread, bitset, false, this, key, nullptr, nullptr};
  add(waiter);
  const Wake why = thread.process.scheduler.park(thread, deadline_ns, true);
  if (waiter.woken) return 0;
  waiter.in->remove(waiter);
  return why == Wake::timeout ? -ETIMEDOUT : static_cast<long>(restart_sys);
}

long Futexes::wait_any(Thread& thread, std::span<const FutexWanted> wanted, uint64_t deadline_ns) {
  for (const FutexWanted& one : wanted) {
    uint32_t value = 0;
    if (osp_user_copy(&value, one.at.word, sizeof value) != 0) return -EFAULT;
    if (value != one.expected) return -EAGAIN;
  }
  std::vector<Waiter> waiters;
  waiters.reserve(wanted.size());  // they are linked by their places
  for (const FutexWanted& one : wanted) {
    waiters.push_back({&thread, ~0U, false, &one.at.futexes, one.at.key, nullptr, nullptr});
    one.at.futexes.add(waiters.back());
  }
  const Wake why = thread.process.scheduler.park(thread, deadline_ns, true);
  long woken = -1;
  for (size_t i = 0; i < waiters.size(); ++i) {
    if (waiters[i].woken) woken = static_cast<long>(i);  // of several the last, as Linux has it
    if (!waiters[i].woken) waiters[i].in->remove(waiters[i]);
  }
  if (woken >= 0) return woken;
  return why == Wake::timeout ? -ETIMEDOUT : static_cast<long>(restart_sys);
}

Thread* Futexes::first(FutexKey key) {
  for (const Waiter* waiter = bucket_of(key).first; waiter != nullptr; waiter = waiter->next)
    if (waiter->key == key) return waiter->thread;
  return nullptr;
}

long Futexes::wake(FutexKey key, uint32_t bitset, long count) {
  long woken = 0;
  for (Waiter* waiter = bucket_of(key).first; waiter != nullptr && woken < count;) {
    Waiter& one = *waiter;
    waiter = one.next;
    if (one.key != key || (one.bitset & bitset) == 0) continue;
    remove(one);
    one.woken = true;
    one.thread->process.scheduler.wake(*one.thread, Wake::woken);
    ++woken;
  }
  return woken;
}

long Futexes::requeue(FutexKey key, long wake_count, Futexes& to, FutexKey target, long move) {
  const long woken = wake(key, ~0U, wake_count);
  long moved = 0;
  for (Waiter* waiter = bucket_of(key).first; waiter != nullptr && moved < move;) {
    Waiter& one = *waiter;
    waiter = one.next;
    if (one.key != key) continue;
    ++moved;
    if (this == &to && key == target) continue;
    remove(one);
    one.key = target;
    to.add(one);
  }
  return woken + moved;
}

FutexWord futex_word(Process& process, uint64_t address) {
  static Futexes shared;
  const memory::Area* area = process.memory.find(address);
  const bool has_pages = area != nullptr && (area->flags & MAP_SHARED) != 0 && area->backing != nullptr;
  if (!has_pages || area->backing->pages == nullptr) return process.futexes.own_word(address);
  return {shared,
          {area->backing->pages.get(), area->offset + (address - area->start)},
          reinterpret_cast<uint32_t*>(address)};
}

}  // namespace osp::task
