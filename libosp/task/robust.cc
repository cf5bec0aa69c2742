#include "libosp/task/robust.h"

#include <sys/syscall.h>

#include "base/raw_syscall.h"
#include "libosp/host/side.h"
#include "libosp/task/process.h"

namespace osp::task {

void release_robust_list(Thread& thread) {
  struct Head {
    uint64_t next;
    int64_t futex_offset;
    uint64_t pending;
  } head = {};
  constexpr uint32_t waiters = 0x80000000, owner_died = 0x40000000, tid_mask = 0x3fffffff;
  constexpr int limit = 2048;
  if (thread.robust_list == 0 || osp_user_copy(&head, reinterpret_cast<void*>(thread.robust_list), sizeof head) != 0)
    return;
  const auto release = [&](uint64_t entry) {
    auto* word = reinterpret_cast<uint32_t*>((entry & ~uint64_t{1}) + static_cast<uint64_t>(head.futex_offset));
    uint32_t value = 0;
    if (osp_user_copy(&value, word, sizeof value) != 0) return;
    do {
      if ((value & tid_mask) != static_cast<uint32_t>(thread.tid)) return;
    } while (osp_user_exchange(word, &value, (value & waiters) | owner_died) == 1);
    if ((value & waiters) == 0) return;
    futex_word(thread.process, reinterpret_cast<uint64_t>(word)).wake(~0U, 1);
    if (!host::is_native()) raw::syscall(SYS_futex, word, 1, 1);
  };
  uint64_t entry = head.next;
  for (int count = 0; count < limit && entry != thread.robust_list && entry != 0; ++count) {
    const uint64_t at = entry;
    if (osp_user_copy(&entry, reinterpret_cast<void*>(at & ~uint64_t{1}), sizeof entry) != 0) break;
    if (at != head.pending) release(at);
  }
  if (head.pending != 0) release(head.pending);
  thread.robust_list = 0;
}

}  // namespace osp::task
