// Of memory and chance, what hosted goes to Linux as it is: mincore(2), mlock(2), getrandom(2), clocks.
#include <array>

#include "libosp/host/host.h"
#include "libosp/linux/calls.h"
#include "libosp/linux/clock.h"
#include "libosp/memory/address_space.h"
#include "libosp/native/calls.h"

namespace osp::native {

using linux::put;

namespace {

bool is_mapped(const Call& c) {
  const uintptr_t end = memory::page_up(c.a + c.b);
  for (uintptr_t at = c.a; at < end;) {
    const memory::Area* area = c.process.memory.find(at);
    if (area == nullptr) return false;
    at = area->end;
  }
  return true;
}

}  // namespace

// Nothing is ever swapped out.
long sys_mlock(Call& c) { return is_mapped(c) ? 0 : -ENOMEM; }
long sys_mlockall(Call&) { return 0; }

long sys_mincore(Call& c) {
  if (c.a % memory::page_size != 0) return -EINVAL;
  if (!is_mapped(c)) return -ENOMEM;
  const std::string resident(memory::page_up(c.b) / memory::page_size, '\1');
  return osp_user_copy(Call::pointer<void>(c.c), resident.data(), resident.size()) == 0 ? 0 : -EFAULT;
}

// What was written is in the one copy that there is.
long sys_msync(Call& c) {
  if (c.a % memory::page_size != 0) return -EINVAL;
  return is_mapped(c) ? 0 : -ENOMEM;
}

long sys_getrandom(Call& c) {
  std::array<std::byte, 256> buffer;
  uint64_t done = 0;
  while (done < c.b) {
    const size_t part = std::min<uint64_t>(buffer.size(), c.b - done);
    host::random(buffer.data(), part);
    if (osp_user_copy(Call::pointer<void>(c.a + done), buffer.data(), part) != 0)
      return done > 0 ? static_cast<long>(done) : -EFAULT;
    done += part;
  }
  return static_cast<long>(done);
}

long sys_clock_gettime(Call& c) {
  if (c.a == CLOCK_PROCESS_CPUTIME_ID || c.a == CLOCK_THREAD_CPUTIME_ID)
    return put(c.b, linux::to_timespec(c.process.scheduler.processor_time_ns(c.process))) ? 0 : -EFAULT;
  return linux::sys_clock_gettime(c);
}

long sys_clock_getres(Call& c) {
  constexpr uint64_t last = CLOCK_TAI;
  if (c.a > last) return -EINVAL;
  return c.b == 0 || put(c.b, timespec{0, 1}) ? 0 : -EFAULT;
}

long sys_gettimeofday(Call& c) {
  timespec now = {};
  raw::syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
  struct {
    int64_t seconds, microseconds;
  } const value = {now.tv_sec, now.tv_nsec / 1000};
  if (c.b != 0 && !put(c.b, uint64_t{0})) return -EFAULT;
  return c.a == 0 || put(c.a, value) ? 0 : -EFAULT;
}

long sys_time(Call& c) {
  timespec now = {};
  raw::syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
  return c.a == 0 || put(c.a, now.tv_sec) ? now.tv_sec : -EFAULT;
}

}  // namespace osp::native
