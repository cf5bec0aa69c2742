#include "libosp/task/futex.h"

#include <cerrno>
#include <vector>

#include "libosp/task/process.h"

namespace osp::task {

namespace {

// A wake that finds nobody counted does not enter the core: so a waiter is counted before it looks.
long look(const uint32_t* word, uint32_t expected) {
  uint32_t value = 0;
  if (osp_user_copy(&value, word, sizeof value) != 0) return -EFAULT;
  return value == expected ? 0 : -EAGAIN;
}

}  // namespace

size_t Futexes::place_of(FutexKey key) {
  return trap::FutexWaiters::place_of(reinterpret_cast<uintptr_t>(key.memory) + key.at);
}

void Futexes::clear() {
  buckets_ = {};
  for (auto& count : waiting_.count) count = 0;
}

void Futexes::add(Waiter& waiter) {
  ++waiting_.count[place_of(waiter.key)];
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
  --waiting_.count[place_of(waiter.key)];
}

long Futexes::wait(Thread& thread, FutexKey key, const uint32_t* word, uint32_t expected, uint32_t bitset,
                   uint64_t deadline_ns) {
  Waiter waiter{&thread, bitset, false, this, key, nullptr, nullptr};
  add(waiter);
  if (const long seen = look(word, expected); seen != 0) {
    remove(waiter);
    return seen;
  }
  const Wake why = thread.process.scheduler.park(thread, deadline_ns, true);
  if (waiter.woken) return 0;
  waiter.in->remove(waiter);
  return why == Wake::timeout ? -ETIMEDOUT : static_cast<long>(restart_sys);
}

long Futexes::wait_any(Thread& thread, std::span<const FutexWanted> wanted, uint64_t deadline_ns) {
  std::vector<Waiter> waiters;
  waiters.reserve(wanted.size());  // they are linked by their places
  for (const FutexWanted& one : wanted) {
    waiters.push_back({&thread, ~0U, false, &one.at.futexes, one.at.key, nullptr, nullptr});
    one.at.futexes.add(waiters.back());
  }
  for (const FutexWanted& one : wanted) {
    const long seen = look(one.at.word, one.expected);
    if (seen == 0) continue;
    for (Waiter& waiter : waiters) waiter.in->remove(waiter);
    return seen;
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
