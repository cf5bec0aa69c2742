#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include "tools/keeper_locks.h"

namespace osp::keeper {
namespace {

using namespace pip;

// The host tells one that stands against a lock of all: beside it there may be others.
Result<void> add_ranges(int fd, uint64_t first, uint64_t last, RangeLocks& found) {
  struct flock asked = {};
  asked.l_type = F_WRLCK, asked.l_whence = SEEK_SET;
  asked.l_start = static_cast<int64_t>(first);
  asked.l_len = last == LockRange::most ? 0 : static_cast<int64_t>(last - first + 1);
  if (fcntl(fd, F_OFD_GETLK, &asked) != 0) return fail(errno);
  if (asked.l_type == F_UNLCK) return {};
  const uint64_t begin = std::max(first, static_cast<uint64_t>(asked.l_start));
  const uint64_t end = asked.l_len == 0 ? LockRange::most : static_cast<uint64_t>(asked.l_start + asked.l_len - 1);
  found.set({.type = asked.l_type == F_WRLCK ? LockType::exclusive : LockType::shared,
             .first = begin,
             .last = std::min(last, end)});
  if (begin > first) OSP_TRY(add_ranges(fd, first, begin - 1, found));
  return end < last ? add_ranges(fd, end + 1, last, found) : Result<void>{};
}

// On an open file of its own, since each has one lock.
Result<RangeLocks> whole_in_use(int fd) {
  const HostFd file(open(fmt::format("/proc/self/fd/{}", fd).c_str(), O_RDWR | O_CLOEXEC));
  if (file.get() < 0) return fail(errno);
  if (flock(file.get(), LOCK_EX | LOCK_NB) == 0) return RangeLocks();
  if (errno != EWOULDBLOCK) return fail(errno);
  const bool is_shared = flock(file.get(), LOCK_SH | LOCK_NB) == 0;
  return RangeLocks(LockRange{.type = is_shared ? LockType::shared : LockType::exclusive});
}

}  // namespace

Result<RangeLocks> locks_in_use(int fd, LockKind kind) {
  if (kind == LockKind::whole) return whole_in_use(fd);
  RangeLocks found;
  OSP_TRY(add_ranges(fd, 0, LockRange::most, found));
  return found;
}

}  // namespace osp::keeper
