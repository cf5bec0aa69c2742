// futex(2). Words in private memory are the core's (task/futex.h), natively all words; hosted, words in shared memory
// are waited for in the host, which other processes share.
#include <linux/futex.h>
#include <sys/mman.h>

#include "libosp/host/side.h"
#include "libosp/linux/calls.h"
#include "libosp/linux/clock.h"

namespace osp::linux {
namespace {

constexpr uint64_t shared_poll_ns = 1'000'000;

task::FutexWord word_at(const Call& c, uint64_t address) {
  return (c.b & FUTEX_PRIVATE_FLAG) != 0 ? c.process.futexes.own_word(address) : task::futex_word(c.process, address);
}

// In memory that other processes of the host's share.
bool is_shared(const Call& c) {
  if ((c.b & FUTEX_PRIVATE_FLAG) != 0 || host::is_native()) return false;
  const memory::Area* area = c.process.memory.find(c.a);
  return area != nullptr && (area->flags & MAP_SHARED) != 0;
}

// 0: no timeout; restarted waits keep the first deadline.
Result<uint64_t> deadline_of(Call& c, bool absolute) {
  if (c.d == 0) return uint64_t{0};
  if (c.thread.restarting && c.thread.restart_deadline != 0) return c.thread.restart_deadline;
  timespec when = {};
  if (!get(c.d, when)) return fail(EFAULT);
  if (when.tv_sec < 0 || when.tv_nsec < 0 || when.tv_nsec >= 1'000'000'000) return fail(EINVAL);
  const int clock = (c.b & FUTEX_CLOCK_REALTIME) != 0 ? CLOCK_REALTIME : CLOCK_MONOTONIC;
  c.thread.restart_deadline = host_deadline(c, clock, when, absolute);
  return c.thread.restart_deadline;
}

long wait_here(Call& c, uint32_t expected, uint32_t bitset, uint64_t deadline) {
  const task::FutexWord at = word_at(c, c.a);
  return at.futexes.wait(c.thread, at.key, at.word, expected, bitset, deadline);
}

// Other processes wake in the host, other threads of ours in the core: with several threads, look again
// every millisecond at whether the word changed.
long wait_shared(Call& c, uint32_t bitset, uint64_t deadline) {
  const auto expected = static_cast<uint32_t>(c.c);
  if (c.process.owns_worker()) {
    const timespec until = to_timespec(static_cast<int64_t>(deadline));
    return block_in_host(SYS_futex, c.a, FUTEX_WAIT_BITSET, expected, deadline != 0 ? raw::arg(&until) : 0, 0, bitset);
  }
  for (;;) {
    const uint64_t soon = task::host_now_ns() + shared_poll_ns;
    const bool last = deadline != 0 && deadline <= soon;
    const long result = wait_here(c, expected, bitset, last ? deadline : soon);
    if (result != -ETIMEDOUT || last) return result;
    uint32_t value = 0;
    if (!get(c.a, value)) return -EFAULT;
    if (value != expected) return 0;
  }
}

long wait(Call& c, uint32_t bitset, bool absolute) {
  if (bitset == 0) return -EINVAL;
  if (c.a % sizeof(uint32_t) != 0) return -EINVAL;
  const auto deadline = deadline_of(c, absolute);
  if (!deadline) return -deadline.error().code;
  const long result =
      is_shared(c) ? wait_shared(c, bitset, *deadline) : wait_here(c, static_cast<uint32_t>(c.c), bitset, *deadline);
  return result == task::restart_sys && c.d != 0 ? static_cast<long>(task::restart_block) : result;
}

// Who else may have the word is known by its page, which must be there.
bool is_found(const Call& c, uint64_t address) {
  uint32_t value = 0;
  return (c.b & FUTEX_PRIVATE_FLAG) != 0 || get(address, value);
}

long wake(Call& c, uint32_t bitset) {
  if (bitset == 0 || c.a % sizeof(uint32_t) != 0) return -EINVAL;
  if (!is_found(c, c.a)) return -EFAULT;
  const long count = static_cast<int>(c.c);
  long woken = word_at(c, c.a).wake(bitset, count);
  if (woken < count && is_shared(c)) {
    const long others = raw::syscall(SYS_futex, c.a, FUTEX_WAKE_BITSET, count - woken, 0, 0, bitset);
    if (others > 0) woken += others;
  }
  return woken;
}

long requeue(Call& c, bool compare) {
  if (static_cast<int>(c.c) < 0 || static_cast<int>(c.d) < 0) return -EINVAL;
  uint32_t value = 0;
  if (!get(c.a, value) || !is_found(c, c.e)) return -EFAULT;
  if (compare && value != static_cast<uint32_t>(c.f)) return -EAGAIN;
  const task::FutexWord from = word_at(c, c.a), to = word_at(c, c.e);
  const long moved = from.futexes.requeue(from.key, static_cast<int>(c.c), to.futexes, to.key, static_cast<int>(c.d));
  if (moved != 0 || !is_shared(c)) return moved;
  return forward(c);  // who waits for it is in other processes
}

// FUTEX_WAKE_OP: an atomic operation on the second word, then wake both if its old value compares.
// The second half of FUTEX_WAKE_OP's encoding (futex(2)): what becomes of the second word, and when it is woken.
struct WakeOperation {
  uint32_t operation, comparison;
  uint32_t argument, against;

  static WakeOperation decode(uint32_t encoded) {
    const auto signed_12 = [](uint32_t bits) { return static_cast<uint32_t>(static_cast<int32_t>(bits << 20) >> 20); };
    WakeOperation op = {(encoded >> 28) & 7, (encoded >> 24) & 15, signed_12(encoded >> 12), signed_12(encoded)};
    if ((encoded >> 31) != 0) op.argument = 1U << (op.argument & 31);
    return op;
  }

  [[nodiscard]] std::optional<uint32_t> apply(uint32_t old) const {
    switch (operation) {
      case FUTEX_OP_SET:
        return argument;
      case FUTEX_OP_ADD:
        return old + argument;
      case FUTEX_OP_OR:
        return old | argument;
      case FUTEX_OP_ANDN:
        return old & ~argument;
      case FUTEX_OP_XOR:
        return old ^ argument;
      default:
        return std::nullopt;
    }
  }

  [[nodiscard]] std::optional<bool> holds(uint32_t old) const {
    const auto left = static_cast<int32_t>(old), right = static_cast<int32_t>(against);
    switch (comparison) {
      case FUTEX_OP_CMP_EQ:
        return left == right;
      case FUTEX_OP_CMP_NE:
        return left != right;
      case FUTEX_OP_CMP_LT:
        return left < right;
      case FUTEX_OP_CMP_LE:
        return left <= right;
      case FUTEX_OP_CMP_GT:
        return left > right;
      case FUTEX_OP_CMP_GE:
        return left >= right;
      default:
        return std::nullopt;
    }
  }
};

long wake_op(Call& c) {
  const auto op = WakeOperation::decode(static_cast<uint32_t>(c.f));
  uint32_t old = 0;
  if (!get(c.e, old)) return -EFAULT;
  long outcome = 1;
  while (outcome == 1) {
    const auto value = op.apply(old);
    if (!value) return -ENOSYS;
    outcome = osp_user_exchange(Call::pointer<void>(c.e), &old, *value);
  }
  if (outcome < 0) return outcome;
  const auto both = op.holds(old);  // the kernel too stores before it looks at the comparison
  if (!both) return -ENOSYS;
  const long woken = wake(c, FUTEX_BITSET_MATCH_ANY);
  return woken + (*both ? word_at(c, c.e).wake(~0U, static_cast<int>(c.d)) : 0);
}

// The PI operations: the word is the owner's tid, which the program changes without us where nobody else wants it;
// contention parks on the word.
long lock_pi(Call& c, bool try_only) {
  constexpr uint32_t tid_mask = 0x3fffffff, waiters = 0x80000000;
  const auto deadline = deadline_of(c, true);
  if (!deadline) return -deadline.error().code;
  const auto tid = static_cast<uint32_t>(c.thread.tid);
  uint32_t value = 0, others = 0;  // who has waited does not know who else does
  if (!get(c.a, value)) return -EFAULT;
  for (;;) {
    if ((value & tid_mask) == tid) return -EDEADLK;
    const bool is_free = (value & tid_mask) == 0;
    if (!is_free && try_only) return -EAGAIN;
    const uint32_t wanted = is_free ? tid | (value & ~tid_mask) | others : value | waiters;
    const long outcome = osp_user_exchange(Call::pointer<void>(c.a), &value, wanted);
    if (outcome < 0) return outcome;
    if (outcome == 1) continue;
    if (is_free) return 0;
    const long result = wait_here(c, value | waiters, ~0U, *deadline);
    if (result == 0 && get(c.a, value) && (value & tid_mask) == tid) return 0;  // it was handed over
    if (result < 0 && result != -EAGAIN) return result;
    if (!get(c.a, value)) return -EFAULT;
    others = waiters;
  }
}

long unlock_pi(Call& c) {
  constexpr uint32_t tid_mask = 0x3fffffff, waiters = 0x80000000;
  uint32_t value = 0;
  if (!get(c.a, value)) return -EFAULT;
  if ((value & tid_mask) != static_cast<uint32_t>(c.thread.tid)) return -EPERM;
  // To the one who has waited longest: were it free for a moment, who takes it would not know of the others.
  const task::FutexWord at = word_at(c, c.a);
  const task::Thread* next = at.futexes.first(at.key);
  uint32_t wanted = 0;
  if (next != nullptr) {
    wanted = static_cast<uint32_t>(next->tid);
    at.wake(~0U, 1);
    if (at.futexes.first(at.key) != nullptr) wanted |= waiters;
  }
  long outcome = 1;
  while (outcome == 1) outcome = osp_user_exchange(Call::pointer<void>(c.a), &value, wanted);
  return outcome;
}

}  // namespace

long sys_futex(Call& c) {
  switch (c.b & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
      return wait(c, FUTEX_BITSET_MATCH_ANY, false);
    case FUTEX_WAIT_BITSET:
      return wait(c, static_cast<uint32_t>(c.f), true);
    case FUTEX_WAKE:
      return wake(c, FUTEX_BITSET_MATCH_ANY);
    case FUTEX_WAKE_BITSET:
      return wake(c, static_cast<uint32_t>(c.f));
    case FUTEX_REQUEUE:
      return requeue(c, false);
    case FUTEX_CMP_REQUEUE:
      return requeue(c, true);
    case FUTEX_WAKE_OP:
      return wake_op(c);
    case FUTEX_LOCK_PI:
    case 13:
      return lock_pi(c, false);
    case FUTEX_TRYLOCK_PI:
      return lock_pi(c, true);
    case FUTEX_UNLOCK_PI:
      return unlock_pi(c);
    default:
      return -ENOSYS;
  }
}

long sys_set_robust_list(Call& c) {
  if (c.b != 24) return -EINVAL;
  c.thread.robust_list = c.a;
  c.thread.robust_list_size = c.b;
  return 0;
}

long sys_get_robust_list(Call& c) {
  task::Thread* thread = c.a == 0 ? &c.thread : c.process.find_thread(static_cast<int>(c.a));
  if (thread == nullptr) return host::is_native() ? -ESRCH : forward(c);  // of another process
  return put(c.b, thread->robust_list) && put(c.c, uint64_t{24}) ? 0 : -EFAULT;
}

}  // namespace osp::linux
