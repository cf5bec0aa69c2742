// Locks natively, among all processes of the core: fcntl(2), "Advisory record locking", and flock(2).
#include <fcntl.h>
#include <sys/file.h>

#include "libosp/file/files.h"
#include "libosp/native/calls.h"
#include "libosp/native/lock.h"

namespace osp::native {
namespace {

using file::Description;
using file::RangeLock;

constexpr long unlocks = 1;  // beside the errnos: the lock is one to be taken away

bool is_of_description(uint64_t command) {
  return command == F_OFD_SETLK || command == F_OFD_SETLKW || command == F_OFD_GETLK;
}

// From struct flock; `unlocks`, 0, or minus an errno.
long take_range(Call& c, Description& file, const struct flock& asked, RangeLock& lock) {
  int64_t base = 0;
  if (asked.l_whence == SEEK_CUR) base = file.seek(0, SEEK_CUR);
  if (asked.l_whence == SEEK_END) {
    const auto now = file.stat();
    if (!now) return -now.error().code;
    base = static_cast<int64_t>(now->size);
  }
  if (asked.l_whence < SEEK_SET || asked.l_whence > SEEK_END) return -EINVAL;
  if (__builtin_add_overflow(std::max<int64_t>(base, 0), asked.l_start, &lock.first)) return -EOVERFLOW;
  lock.last = INT64_MAX;
  if (asked.l_len > 0 && __builtin_add_overflow(lock.first, asked.l_len - 1, &lock.last)) return -EOVERFLOW;
  if (asked.l_len < 0) lock.last = lock.first - 1, lock.first += asked.l_len;
  if (lock.first < 0) return -EINVAL;
  const bool of_description = is_of_description(c.b);
  if (of_description && asked.l_pid != 0) return -EINVAL;
  lock.owner = of_description ? static_cast<const void*>(&file) : c.process.files.get();
  lock.pid = of_description ? -1 : c.process.pid;
  lock.is_exclusive = asked.l_type == F_WRLCK;
  if (asked.l_type == F_UNLCK) return unlocks;
  return asked.l_type == F_RDLCK || asked.l_type == F_WRLCK ? 0 : -EINVAL;
}

long ask(Call& c, const file::LockTable& table, struct flock& answer, const RangeLock& wanted) {
  const auto other = table.conflict(wanted);
  answer.l_type = F_UNLCK;
  if (other) {
    answer.l_type = other->is_exclusive ? F_WRLCK : F_RDLCK;
    answer.l_whence = SEEK_SET;
    answer.l_start = other->first;
    answer.l_len = other->last == INT64_MAX ? 0 : other->last - other->first + 1;
    answer.l_pid = other->pid;
  }
  return linux::put(c.c, answer) ? 0 : -EFAULT;
}

long set(Call& c, file::FileLocks& locks, const RangeLock& wanted) {
  const bool waits = c.b == F_SETLKW || c.b == F_OFD_SETLKW;
  file::LockWaits& others = file::locks().waits();
  for (;;) {
    const auto other = locks.table.conflict(wanted);
    if (!other) break;
    if (!waits) return -EAGAIN;
    if (c.b == F_SETLKW && others.would_deadlock(wanted.owner, other->owner)) return -EDEADLK;
    if (c.b == F_SETLKW) others.add(wanted.owner, other->owner);
    const task::Wake why = task::wait_on(c.thread, locks.changed);
    if (c.b == F_SETLKW) others.remove(wanted.owner, other->owner);
    if (why == task::Wake::signal) return task::restart_sys;
  }
  locks.table.set(wanted);
  locks.changed.notify();  // a write lock may have become one for reading
  return 0;
}

}  // namespace

bool is_lock_command(uint64_t command) {
  return is_of_description(command) || command == F_SETLK || command == F_SETLKW || command == F_GETLK;
}

long lock_range(Call& c, Description& file) {
  struct flock asked = {};
  RangeLock wanted;
  if (!linux::get(c.c, asked)) return -EFAULT;
  const long kind = take_range(c, file, asked, wanted);
  if (kind < 0) return kind;
  const bool only_asks = c.b == F_GETLK || c.b == F_OFD_GETLK;
  if (only_asks && kind == unlocks) return -EINVAL;
  const auto locks = file::locks().of(file.identity());
  if (only_asks) return ask(c, locks->table, asked, wanted);
  if (kind == unlocks) {
    locks->table.unlock(wanted.owner, wanted.first, wanted.last);
    locks->changed.notify();
    return 0;
  }
  if (wanted.is_exclusive ? !file.is_writable() : !file.is_readable()) return -EBADF;
  if (is_of_description(c.b)) file.has_locks = true;
  return set(c, *locks, wanted);
}

long sys_flock(Call& c) {
  const auto file = c.process.files->share(static_cast<int>(c.a));
  if (file == nullptr || file->is_name_only()) return -EBADF;
  const auto operation = static_cast<int>(c.b) & ~LOCK_NB;
  if (operation != LOCK_SH && operation != LOCK_EX && operation != LOCK_UN) return -EINVAL;
  const auto locks = file::locks().of(file->identity());
  // A lock is given up before another is waited for: see flock(2), "Converting a lock".
  if (locks->table.unlock_whole(file.get())) locks->changed.notify();
  if (operation == LOCK_UN) return 0;
  while (!locks->table.can_lock_whole(file.get(), operation == LOCK_EX)) {
    if ((c.b & LOCK_NB) != 0) return -EAGAIN;
    if (task::wait_on(c.thread, locks->changed) == task::Wake::signal) return task::restart_sys;
  }
  locks->table.lock_whole(file.get(), operation == LOCK_EX);
  file->has_locks = true;
  return 0;
}

}  // namespace osp::native
