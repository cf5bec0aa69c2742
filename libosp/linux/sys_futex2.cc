// The younger futex calls: futex_waitv(2), which waits for several words at once, and futex_wait, futex_wake and
// futex_requeue, which say what futex(2) says in other arguments.
#include <linux/futex.h>

#include <array>
#include <bit>
#include <optional>
#include <vector>

#include "libosp/host/side.h"
#include "libosp/linux/calls.h"
#include "libosp/linux/clock.h"
#include "libosp/linux/numbers.h"

namespace osp::linux {
namespace {

constexpr uint64_t shared_poll_ns = 1'000'000;
constexpr uint64_t size_mask = 3, size_of_32 = 2, is_private = FUTEX_PRIVATE_FLAG;
constexpr size_t most_words = 128;

struct Waiter {  // struct futex_waitv
  uint64_t value, address;
  uint32_t flags, reserved;
};

// Words of 32 bits, of whichever memory node they are.
bool is_valid(uint64_t flags, uint64_t value) {
  return (flags & ~(size_mask | is_private)) == 0 && (flags & size_mask) == size_of_32 && value <= UINT32_MAX;
}

uint64_t operation(uint64_t command, uint64_t flags) { return command | (flags & is_private); }

long get_waiters(uint64_t address, size_t count, std::vector<Waiter>& waiters) {
  waiters.resize(count);
  if (osp_user_copy(waiters.data(), Call::pointer<void>(address), count * sizeof(Waiter)) != 0) return -EFAULT;
  for (const Waiter& one : waiters)
    if (!is_valid(one.flags, one.value) || one.reserved != 0 || one.address % sizeof(uint32_t) != 0) return -EINVAL;
  return 0;
}

// 0: none.
Result<uint64_t> deadline_of(const Call& c) {
  timespec when = {};
  if (c.d == 0) return uint64_t{0};
  if (c.e != CLOCK_MONOTONIC && c.e != CLOCK_REALTIME) return fail(EINVAL);
  if (!get(c.d, when)) return fail(EFAULT);
  if (when.tv_sec < 0 || when.tv_nsec < 0 || when.tv_nsec >= 1'000'000'000) return fail(EINVAL);
  return host_deadline(c, static_cast<int>(c.e), when, true);
}

// The first whose word has changed.
std::optional<long> changed_of(const std::vector<Waiter>& waiters) {
  for (size_t i = 0; i < waiters.size(); ++i) {
    uint32_t value = 0;
    if (get(waiters[i].address, value) && value != waiters[i].value) return static_cast<long>(i);
  }
  return std::nullopt;
}

// Other threads wake in the core, other processes in the host: as linux/sys_futex.cc waits for one word.
long wait_in_core(Call& c, const std::vector<Waiter>& waiters, uint64_t deadline) {
  std::vector<task::FutexWanted> wanted;
  bool shared = false;
  for (const Waiter& one : waiters) {
    const bool own = (one.flags & is_private) != 0;
    shared = shared || (!own && !host::is_native());
    wanted.push_back({own ? c.process.futexes.own_word(one.address) : task::futex_word(c.process, one.address),
                      static_cast<uint32_t>(one.value)});
  }
  for (bool first = true;; first = false) {
    const uint64_t soon = task::host_now_ns() + shared_poll_ns;
    const bool last = !shared || (deadline != 0 && deadline <= soon);
    const long result = task::Futexes::wait_any(c.thread, wanted, last ? deadline : soon);
    if (result == -EAGAIN && !first)
      if (const auto changed = changed_of(waiters)) return *changed;
    if (result != -ETIMEDOUT || last) return result;
  }
}

}  // namespace

long sys_futex_waitv(Call& c) {
  if (c.c != 0 || c.a == 0 || c.b == 0 || c.b > most_words) return -EINVAL;
  const auto deadline = deadline_of(c);
  if (!deadline) return -deadline.error().code;
  std::vector<Waiter> waiters;
  if (const long error = get_waiters(c.a, c.b, waiters); error != 0) return error;
  if (!c.process.owns_worker()) return wait_in_core(c, waiters, *deadline);
  const timespec until = to_timespec(static_cast<int64_t>(*deadline));
  return block_in_host(SYS_futex_waitv, raw::arg(waiters.data()), waiters.size(), 0,
                       *deadline != 0 ? raw::arg(&until) : 0, CLOCK_MONOTONIC);
}

long sys_futex_wake(Call& c) {
  if (!is_valid(c.d, c.b)) return -EINVAL;
  Call old = {c.thread, c.process, SYS_futex, c.a, operation(FUTEX_WAKE_BITSET, c.d), c.c, 0, 0, c.b};
  return sys_futex(old);
}

long sys_futex_wait(Call& c) {
  if (!is_valid(c.d, c.b) || c.c > UINT32_MAX) return -EINVAL;
  if (c.e != 0 && c.f != CLOCK_MONOTONIC && c.f != CLOCK_REALTIME) return -EINVAL;
  const uint64_t clock = c.e != 0 && c.f == CLOCK_REALTIME ? FUTEX_CLOCK_REALTIME : 0;
  Call old = {c.thread, c.process, SYS_futex, c.a, operation(FUTEX_WAIT_BITSET, c.d) | clock, c.b, c.e, 0, c.c};
  return sys_futex(old);
}

// Linux compares the first word with the first value alone.
long sys_futex_requeue(Call& c) {
  if (c.b != 0 || c.a == 0) return -EINVAL;
  std::vector<Waiter> words;
  if (const long error = get_waiters(c.a, 2, words); error != 0) return error;
  Call old = {c.thread, c.process, SYS_futex,        words[0].address, operation(FUTEX_CMP_REQUEUE, words[0].flags),
              c.c,      c.d,       words[1].address, words[0].value};
  return sys_futex(old);
}

}  // namespace osp::linux
