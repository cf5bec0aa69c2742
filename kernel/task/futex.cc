#include "kernel/task/futex.h"

#include <cerrno>

#include "kernel/cpu/processor.h"
#include "kernel/cpu/user_copy.h"
#include "kernel/memory/space.h"
#include "kernel/task/wait.h"

namespace osp::kernel {
namespace {

struct Sleeper;
struct Bucket {
  Spinlock lock;
  List<Sleeper, Bucket> sleepers;
};

// A word is known by the map that it is in and its address.
struct Key {
  const Map* map;
  const uint32_t* word;
  bool operator==(const Key&) const = default;
};

struct Sleeper : Link<Bucket> {
  Sleeper(Thread& waiting, Key what, uint32_t bits) : thread(waiting), key(what), mask(bits) {}
  Thread& thread;
  Key key;
  uint32_t mask;
};

constexpr uint64_t bucket_count = 256;
constinit Bucket buckets[bucket_count] = {};

Bucket& bucket_of(const Key& key) {
  constexpr uint64_t golden = 0x9e37'79b9'7f4a'7c15;
  const uint64_t mixed = (reinterpret_cast<uint64_t>(key.word) / 4 ^ reinterpret_cast<uint64_t>(key.map)) * golden;
  return buckets[mixed >> 56];
}
static_assert(bucket_count == 1 << (64 - 56));

long key_of(const uint32_t* word, Key& key) {
  const auto address = reinterpret_cast<uint64_t>(word);
  if (address % sizeof *word != 0) return -EINVAL;
  Map* map = current().space->map_of(address, sizeof *word);
  key = {map, word};
  return map == nullptr ? -EFAULT : 0;
}

}  // namespace

long wait_futex(const uint32_t* word, uint32_t seen, int64_t deadline_ns, uint32_t mask) {
  Key key = {};
  if (const long result = key_of(word, key); result != 0) return result;
  Bucket& bucket = bucket_of(key);
  Sleeper sleeper(current(), key, mask);
  {
    Locked guard(bucket.lock);
    uint32_t now = 0;
    if (const long result = load_user_word(word, now); result != 0) return result;
    if (now != seen) return -EAGAIN;
    prepare_wait();
    bucket.sleepers.push_back(sleeper);
  }
  const Wake reason = finish_wait(deadline_ns);
  Locked guard(bucket.lock);
  if (sleeper.linked()) bucket.sleepers.remove(sleeper);
  return reason == Wake::woken ? 0 : error_of(reason);
}

long wake_futex(const uint32_t* word, uint32_t count, uint32_t mask) {
  Key key = {};
  if (const long result = key_of(word, key); result != 0) return result;
  Bucket& bucket = bucket_of(key);
  Locked guard(bucket.lock);
  uint32_t woken = 0;
  for (Sleeper* sleeper = bucket.sleepers.first(); sleeper != nullptr && woken < count;) {
    Sleeper* next = bucket.sleepers.after(*sleeper);
    if (sleeper->key == key && (sleeper->mask & mask) != 0) {
      bucket.sleepers.remove(*sleeper);
      woken += wake(sleeper->thread, Wake::woken) ? 1 : 0;
    }
    sleeper = next;
  }
  return woken;
}

}  // namespace osp::kernel
