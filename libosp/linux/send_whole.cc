#include "libosp/linux/send_whole.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include <algorithm>

#include "libosp/task/blocking.h"
#include "libosp/task/scheduler.h"

namespace osp::linux {
namespace {

// Files have room at once, if at all.
bool can_be_full(int fd) {
  struct stat st = {};
  if (raw::syscall(SYS_fstat, fd, &st) < 0) return false;
  return S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || S_ISCHR(st.st_mode);
}

long write_once(int fd, Buffers& left, bool may_wait) {
  if (may_wait) return task::interruptible_call(SYS_writev, fd, raw::arg(left.data()), raw::arg(left.count()), 0, 0, 0);
  const long done = raw::syscall(SYS_pwritev2, fd, left.data(), left.count(), -1, -1, RWF_NOWAIT);
  if (done != -EOPNOTSUPP) return done;
  const iovec front = left.front(always_whole);
  return task::interruptible_call(SYS_write, fd, raw::arg(front.iov_base), raw::arg(front.iov_len), 0, 0, 0);
}

}  // namespace

Buffers::Buffers(std::vector<iovec> left) : left_(std::move(left)) {
  for (const iovec& one : left_) size_ += one.iov_len;
}

Result<Buffers> Buffers::at(uint64_t address, uint64_t count) {
  if (count > IOV_MAX) return fail(EINVAL);
  std::vector<iovec> all(count);
  if (count != 0 && osp_user_copy(all.data(), Call::pointer<void>(address), count * sizeof(iovec)) != 0)
    return fail(EFAULT);
  return Buffers(std::move(all));
}

void Buffers::advance(size_t done) {
  size_ -= done;
  auto first = left_.begin();
  for (; first != left_.end() && done >= first->iov_len; ++first) done -= first->iov_len;
  left_.erase(left_.begin(), first);
  if (done == 0) return;
  left_.front().iov_base = static_cast<char*>(left_.front().iov_base) + done;
  left_.front().iov_len -= done;
}

iovec Buffers::front(size_t size) const {
  const auto filled = std::ranges::find_if(left_, [](const iovec& one) { return one.iov_len != 0; });
  return filled == left_.end() ? iovec{} : iovec{filled->iov_base, std::min(size, filled->iov_len)};
}

long transfer_whole(Call& c, int fd, short events, Buffers left, const std::function<long(Buffers&, bool)>& attempt) {
  const bool alone = c.process.single_threaded();
  long total = 0;
  while (left.size() > 0) {
    if (const long wait = wait_ready(c, fd, events); wait != 0) return total > 0 ? total : wait;
    const long done = attempt(left, alone);
    if (done == 0) break;
    if (done == -EAGAIN && !alone) continue;
    if (trap::was_interrupted(done) && total == 0) return task::restart_sys;
    if (done < 0 && !trap::was_interrupted(done)) return total > 0 ? total : done;
    if (done > 0) total += done, left.advance(static_cast<size_t>(done));
    if (c.process.signal_waits(c.thread)) break;
  }
  return total;
}

long write_whole(Call& c) {
  const auto fd = static_cast<int>(c.a);
  const bool vector = c.nr == SYS_writev;
  if (!vector && c.c <= always_whole) return forward_when_ready(c, POLLOUT);
  auto buffers = vector ? Buffers::at(c.b, c.c) : Buffers({{Call::pointer<void>(c.b), c.c}});
  if (!buffers) return -buffers.error().code;
  const bool alone = c.process.single_threaded();
  if (buffers->size() <= always_whole || (!alone && (must_not_wait(fd, POLLOUT) || !can_be_full(fd))))
    return forward_when_ready(c, POLLOUT);
  long begun = 0;
  if (alone) {
    begun = forward_blocking(c);
    const bool whole = begun <= 0 || static_cast<size_t>(begun) == buffers->size();
    if (whole || c.process.signal_waits(c.thread) || must_not_wait(fd, POLLOUT) || !can_be_full(fd)) return begun;
    buffers->advance(static_cast<size_t>(begun));
  }
  const long rest = transfer_whole(c, fd, POLLOUT, std::move(*buffers),
                                   [fd](Buffers& left, bool may_wait) { return write_once(fd, left, may_wait); });
  return rest >= 0 ? begun + rest : begun > 0 ? begun : rest;
}

}  // namespace osp::linux
