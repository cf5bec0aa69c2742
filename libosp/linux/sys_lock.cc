// Locks of files: fcntl(2), "Advisory record locking", and flock(2). Those of the host's files are the host's. Of a
// served file the host's locks on the fd of its pages stand for it among the processes of the environment, and its
// server says what others have (pip::File::lock).
#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>

#include "libosp/file/files.h"
#include "libosp/linux/calls.h"
#include "libosp/linux/lock.h"

namespace osp::linux {
namespace {

constexpr uint64_t patience_ns = 1'000'000;
constexpr uint64_t most_patience_ns = 32'000'000;  // while it is another environment's

bool waits_for_lock(uint64_t command) { return command == F_SETLKW || command == F_OFD_SETLKW; }

bool asks_for_lock(uint64_t command) { return command == F_GETLK || command == F_OFD_GETLK; }

uint64_t without_waiting(uint64_t command) {
  return command == F_SETLKW ? F_SETLK : command == F_OFD_SETLKW ? F_OFD_SETLK : command;
}

// False: a signal came.
bool pause(Call& c, uint64_t time_ns) {
  return c.process.scheduler.park(c.thread, task::host_now_ns() + time_ns, true) != task::Wake::signal;
}

// A lock of a served file, and the call of the host's that takes it among us.
struct Wanted {
  file::Description& file;
  pip::LockKind kind;
  pip::LockRange range;
  Call host;                 // that waits
  uint64_t command;          // that does not
  uint64_t release_command;  // and that unlocks
  struct flock* bytes;       // null: all of the file
};

// 0, or minus an errno: EAGAIN, somebody else has it.
long try_beyond(const Wanted& wanted) {
  const auto answer = wanted.file.lock(wanted.kind, wanted.range);
  if (!answer) return -answer.error().code;
  return answer->is_granted ? 0 : -EAGAIN;
}

long try_lock(const Wanted& wanted) {
  if (const long error = try_beyond(wanted); error != 0) return error;
  const long result = raw::syscall(wanted.host.nr, wanted.host.a, wanted.command, wanted.host.c);
  wanted.file.lock_settled();
  // It may have been exclusive.
  if (result == 0 && wanted.range.type == pip::LockType::shared) wanted.file.lock_released();
  return result == -EACCES ? -EAGAIN : result;
}

void unlock(const Wanted& wanted) {
  if (wanted.bytes != nullptr) wanted.bytes->l_type = F_UNLCK;
  raw::syscall(wanted.host.nr, wanted.host.a, wanted.release_command, wanted.host.c);
  wanted.file.lock_released();
}

// With the lock taken among us.
long wait_beyond(Call& c, const Wanted& wanted) {
  for (uint64_t time_ns = patience_ns;; time_ns = std::min(2 * time_ns, most_patience_ns)) {
    const long result = try_beyond(wanted);
    if (result == 0) return wanted.file.lock_settled(), 0;
    if (result == -EAGAIN && pause(c, time_ns)) continue;
    unlock(wanted);
    return result == -EAGAIN ? task::restart_sys : result;
  }
}

// Whoever is refused by others waits apart from the host's locks, so that ours need not wait for us meanwhile.
long wait_for_lock(Call& c, Wanted& wanted) {
  for (uint64_t time_ns = patience_ns;; time_ns = std::min(2 * time_ns, most_patience_ns)) {
    if (const long beyond = try_beyond(wanted); beyond != 0) {
      if (beyond != -EAGAIN) return beyond;
      if (!pause(c, time_ns)) return task::restart_sys;
      continue;
    }
    long result = raw::syscall(wanted.host.nr, wanted.host.a, wanted.command, wanted.host.c);
    wanted.file.lock_settled();
    if (result != -EAGAIN && result != -EACCES) return result;
    result = call_patiently(wanted.host);
    return result != 0 ? result : wait_beyond(c, wanted);
  }
}

// Absolute, with the offset and size that only we know; and forwards.
long make_absolute(file::Description& file, struct flock& range) {
  int64_t from = 0;
  if (range.l_whence == SEEK_CUR) from = file.seek(0, SEEK_CUR);
  if (range.l_whence == SEEK_END) {
    const auto now = file.stat();
    if (!now) return -now.error().code;
    from = static_cast<int64_t>(now->size);
  }
  if (range.l_whence != SEEK_CUR && range.l_whence != SEEK_END && range.l_whence != SEEK_SET) return -EINVAL;
  if (__builtin_add_overflow(range.l_start, from, &range.l_start)) return -EOVERFLOW;
  range.l_whence = SEEK_SET;
  if (range.l_start < 0) return -EINVAL;
  int64_t last = 0;
  if (range.l_len > 0 && __builtin_add_overflow(range.l_start, range.l_len - 1, &last)) return -EOVERFLOW;
  if (range.l_len >= 0) return 0;
  int64_t begin = 0;
  if (__builtin_add_overflow(range.l_start, range.l_len, &begin) || begin < 0) return -EINVAL;
  range.l_start = begin;
  range.l_len = -range.l_len;
  return 0;
}

// Of one that make_absolute() has seen.
pip::LockRange range_of(const struct flock& range) {
  const auto first = static_cast<uint64_t>(range.l_start);
  return {.type = range.l_type == F_WRLCK ? pip::LockType::exclusive : pip::LockType::shared,
          .first = first,
          .last = range.l_len == 0 ? pip::LockRange::most : first + static_cast<uint64_t>(range.l_len) - 1};
}

// F_GETLK: first among us, then beyond. Where there is nothing, only the type changes of what the program gave.
long ask(Call& c, Wanted& wanted, struct flock given) {
  struct flock& told = *wanted.bytes;
  const long result = raw::syscall(SYS_fcntl, wanted.host.a, c.b, &told);
  if (result != 0) return result;
  if (told.l_type != F_UNLCK) return put(c.c, told) ? 0 : -EFAULT;
  const auto answer = wanted.file.lock(wanted.kind, wanted.range);
  if (!answer && answer.error().code != EACCES) return -answer.error().code;
  given.l_type = F_UNLCK;
  if (answer && answer->is_granted) wanted.file.lock_settled();
  if (answer && !answer->is_granted) {
    const pip::LockRange& by = answer->range;
    given = {.l_type = static_cast<short>(by.type == pip::LockType::exclusive ? F_WRLCK : F_RDLCK),
             .l_whence = SEEK_SET,
             .l_start = static_cast<int64_t>(by.first),
             .l_len = by.last >= pip::LockRange::most ? 0 : static_cast<int64_t>(by.last - by.first + 1),
             .l_pid = -1};  // no process of ours
  }
  return put(c.c, given) ? 0 : -EFAULT;
}

// What the host would look at, whose fd is open for everything.
bool may_lock(const file::Description& file, short type) {
  return type == F_RDLCK ? file.is_readable() : type != F_WRLCK || file.is_writable();
}

}  // namespace

bool is_lock_command(uint64_t command) {
  return waits_for_lock(command) || asks_for_lock(command) || command == F_SETLK || command == F_OFD_SETLK;
}

long call_patiently(Call& c) {
  if (c.process.single_threaded()) return forward_blocking(c);
  uint64_t command = c.b;
  if (c.nr == SYS_fcntl) command = without_waiting(command);
  if (c.nr == SYS_flock) command |= LOCK_NB;
  for (;;) {
    const long result = raw::syscall(c.nr, c.a, command, c.c);
    if (result != -EAGAIN && result != -EACCES) return result;
    if (!pause(c, patience_ns)) return task::restart_sys;
  }
}

long lock_of_host(Call& c) { return waits_for_lock(c.b) ? call_patiently(c) : forward(c); }

long lock_served(Call& c, file::Description& file) {
  const int fd = file.lock_fd();
  if (fd == -ENODEV) return waits_for_lock(c.b) ? 0 : forward(c);
  if (fd < 0) return fd;
  struct flock range = {};
  if (!get(c.c, range)) return -EFAULT;
  const struct flock given = range;
  if (const long error = make_absolute(file, range); error != 0) return error;
  if (!asks_for_lock(c.b) && !may_lock(file, range.l_type)) return -EBADF;
  Call host = c;
  host.a = static_cast<uint64_t>(fd), host.c = reinterpret_cast<uint64_t>(&range);
  const uint64_t command = without_waiting(c.b);
  if (range.l_type != F_RDLCK && range.l_type != F_WRLCK) {  // it unlocks, or is wrong
    const long result = raw::syscall(SYS_fcntl, fd, command, &range);
    file.lock_released();
    return result;
  }
  Wanted wanted{.file = file,
                .kind = pip::LockKind::range,
                .range = range_of(range),
                .host = host,
                .command = command,
                .release_command = command,
                .bytes = &range};
  if (asks_for_lock(c.b)) return ask(c, wanted, given);
  return waits_for_lock(c.b) ? wait_for_lock(c, wanted) : try_lock(wanted);
}

long sys_flock(Call& c) {
  const auto file = c.process.files->share(static_cast<int>(c.a));
  const int fd = file != nullptr ? file->lock_fd() : -1;
  const uint64_t operation = c.b & ~uint64_t{LOCK_NB};
  const bool waits = (c.b & LOCK_NB) == 0;
  if (fd < 0) return waits ? call_patiently(c) : forward(c);
  Call host = c;
  host.a = static_cast<uint64_t>(fd);
  if (operation != LOCK_SH && operation != LOCK_EX) {
    const long result = forward(host);
    file->lock_released();
    return result;
  }
  Wanted wanted{.file = *file,
                .kind = pip::LockKind::whole,
                .range = {.type = operation == LOCK_EX ? pip::LockType::exclusive : pip::LockType::shared},
                .host = host,
                .command = operation | LOCK_NB,
                .release_command = LOCK_UN,
                .bytes = nullptr};
  return waits ? wait_for_lock(c, wanted) : try_lock(wanted);
}

}  // namespace osp::linux
