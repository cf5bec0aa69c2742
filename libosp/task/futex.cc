#include "libosp/task/futex.h"

#include <cerrno>

#include "libosp/task/process.h"

namespace osp::task {

// By the word's address, multiplied as by Knuth (TAOCP 3, 6.4).
Futexes::Bucket& Futexes::bucket_of(const uint32_t* word) {
  constexpr uint64_t golden = 0x9e37'79b9'7f4a'7c15;
  return buckets_[reinterpret_cast<uintptr_t>(word) * golden >> (64 - bucket_bits)];
}

void Futexes::add(Waiter& waiter) {
  Bucket& bucket = bucket_of(waiter.word);
  waiter.next = nullptr;
  waiter.previous = bucket.last;
  (bucket.last == nullptr ? bucket.first : bucket.last->next) = &waiter;
  bucket.last = &waiter;
}

void Futexes::remove(Waiter& waiter) {
  Bucket& bucket = bucket_of(waiter.word);
  (waiter.previous == nullptr ? bucket.first : waiter.previous->next) = waiter.next;
  (waiter.next == nullptr ? bucket.last : waiter.next->previous) = waiter.previous;
}

long Futexes::wait(Thread& thread, uint32_t* word, uint32_t expected, uint32_t bitset, uint64_t deadline_ns) {
  uint32_t value = 0;
  if (osp_user_copy(&value, word, sizeof value) != 0) return -EFAULT;
  if (value != expected) return -EAGAIN;
  Waiter waiter{&thread, bitset, false, word, nullptr, nullptr};
  add(waiter);
  const Wake why = thread.process.scheduler.park(thread, deadline_ns, true);
  if (waiter.woken) return 0;
  remove(waiter);
  return why == Wake::timeout ? -ETIMEDOUT : static_cast<long>(restart_sys);
}

long Futexes::wake(uint32_t* word, uint32_t bitset, long count) {
  long woken = 0;
  for (Waiter* waiter = bucket_of(word).first; waiter != nullptr && woken < count;) {
    Waiter& one = *waiter;
    waiter = one.next;
    if (one.word != word || (one.bitset & bitset) == 0) continue;
    remove(one);
    one.woken = true;
    one.thread->process.scheduler.wake(*one.thread, Wake::woken);
    ++woken;
  }
  return woken;
}

long Futexes::requeue(uint32_t* word, long wake_count, uint32_t* target, long move) {
  const long woken = wake(word, ~0U, wake_count);
  long moved = 0;
  for (Waiter* waiter = bucket_of(word).first; waiter != nullptr && moved < move;) {
    Waiter& one = *waiter;
    waiter = one.next;
    if (one.word != word) continue;
    ++moved;
    if (word == target) continue;
    remove(one);
    one.word = target;
    add(one);
  }
  return woken + moved;
}

}  // namespace osp::task
