#include "libosp/device/support.h"

#include <time.h>

#include <algorithm>

#include "base/raw_syscall.h"
#include "libosp/signal/deliver.h"
#include "libosp/trap/frame.h"

namespace osp::device {
namespace {

uint64_t last_id = 0;

}  // namespace

pip::Attributes attributes_of_new(uint32_t mode, uint64_t device) {
  timespec now = {};
  raw::syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
  pip::Attributes a;
  a.id = ++last_id;
  a.mode = mode;
  a.device = device;
  a.atime_ns = a.mtime_ns = a.ctime_ns = now.tv_sec * 1'000'000'000 + now.tv_nsec;
  return a;
}

long put_user(ByteRing& ring, const void* from, size_t size) {
  size_t done = 0;
  while (done < size && ring.room() > 0) {
    const auto to = ring.space();
    const size_t part = std::min(to.size(), size - done);
    if (osp_user_copy(to.data(), static_cast<const std::byte*>(from) + done, part) != 0)
      return done > 0 ? static_cast<long>(done) : -EFAULT;
    ring.added(part);
    done += part;
  }
  return static_cast<long>(done);
}

long take_user(ByteRing& ring, void* to, size_t size, bool keep) {
  size_t done = 0;
  const size_t wanted = std::min(size, ring.size());
  while (done < wanted) {
    const auto from = ring.front(keep ? done : 0);
    const size_t part = std::min(from.size(), wanted - done);
    if (osp_user_copy(static_cast<std::byte*>(to) + done, from.data(), part) != 0)
      return done > 0 ? static_cast<long>(done) : -EFAULT;
    if (!keep) ring.removed(part);
    done += part;
  }
  return static_cast<long>(done);
}

long await(task::Thread& thread, task::WaitQueue& queue) {
  return task::wait_on(thread, queue) == task::Wake::signal ? static_cast<long>(task::restart_sys) : 0;
}

long broken_pipe(task::Thread& thread) {
  siginfo_t info = signal::make_info(SIGPIPE, SI_USER);
  info.si_pid = thread.process.pid;
  thread.process.send(thread, info);
  return -EPIPE;
}

}  // namespace osp::device
