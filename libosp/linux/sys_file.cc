// What is done with an open fd: read(2), write(2), lseek(2), fstat(2), dup(2), fcntl(2), close(2)…
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <cstring>

#include "libosp/file/files.h"
#include "libosp/linux/calls.h"
#include "libosp/linux/lock.h"
#include "libosp/linux/send_whole.h"
#include "libosp/linux/stat.h"

namespace osp::linux {
namespace {

constexpr uint64_t max_iov = 1024;

// Kept: another thread may close the fd while this one waits.
std::shared_ptr<file::Description> served(const Call& c) { return c.process.files->share(static_cast<int>(c.a)); }

using Transfer = long (*)(task::Thread&, file::Description&, void*, size_t, int64_t);

// readv and writev on a file of ours, buffer by buffer, until a short one.
long vector_io(Call& c, file::Description& file, Transfer transfer, int64_t offset) {
  if (c.c > max_iov) return -EINVAL;
  std::vector<iovec> buffers(c.c);
  if (c.c != 0 && osp_user_copy(buffers.data(), Call::pointer<void>(c.b), c.c * sizeof(iovec)) != 0) return -EFAULT;
  long total = 0;
  for (const iovec& buffer : buffers) {
    if (buffer.iov_len == 0) continue;
    const long done = transfer(c.thread, file, buffer.iov_base, buffer.iov_len, offset < 0 ? -1 : offset + total);
    if (done < 0) return total > 0 ? total : done;
    total += done;
    if (static_cast<size_t>(done) < buffer.iov_len) break;
  }
  return total;
}

long transfer_in(task::Thread& t, file::Description& f, void* to, size_t size, int64_t offset) {
  return offset < 0 ? f.read(t, to, size) : f.pread(t, to, size, offset);
}
long transfer_out(task::Thread& t, file::Description& f, void* from, size_t size, int64_t offset) {
  return offset < 0 ? f.write(t, from, size) : f.pwrite(t, from, size, offset);
}

// A duplicate of a directory's fd has its name too.
void copy_directory(const Call& c, long made) {
  if (made < 0) return;
  if (const std::string* path = c.process.files->directory_path(static_cast<int>(c.a)))
    c.process.files->remember_directory(static_cast<int>(made), *path);
}

}  // namespace

long sys_read(Call& c) {
  const auto file = served(c);
  if (file == nullptr) return forward_when_ready(c, POLLIN);
  return file->is_readable() ? file->read(c.thread, Call::pointer<void>(c.b), c.c) : -EBADF;
}

long sys_write(Call& c) {
  const auto file = served(c);
  if (file == nullptr) return write_whole(c);
  return file->is_writable() ? file->write(c.thread, Call::pointer<void>(c.b), c.c) : -EBADF;
}

long sys_pread64(Call& c) {
  const auto file = served(c);
  if (file == nullptr) return forward_blocking(c);
  if (static_cast<int64_t>(c.d) < 0) return -EINVAL;
  return file->is_readable() ? file->pread(c.thread, Call::pointer<void>(c.b), c.c, static_cast<int64_t>(c.d)) : -EBADF;
}

long sys_pwrite64(Call& c) {
  const auto file = served(c);
  if (file == nullptr) return forward_blocking(c);
  if (static_cast<int64_t>(c.d) < 0) return -EINVAL;
  return file->is_writable() ? file->pwrite(c.thread, Call::pointer<void>(c.b), c.c, static_cast<int64_t>(c.d))
                             : -EBADF;
}

long sys_readv(Call& c) {
  const auto file = served(c);
  if (file == nullptr) return forward_when_ready(c, POLLIN);
  return file->is_readable() ? vector_io(c, *file, transfer_in, -1) : -EBADF;
}

long sys_writev(Call& c) {
  const auto file = served(c);
  if (file == nullptr) return write_whole(c);
  return file->is_writable() ? vector_io(c, *file, transfer_out, -1) : -EBADF;
}

long sys_preadv(Call& c) {
  const auto file = served(c);
  if (file == nullptr) return forward_blocking(c);
  return file->is_readable() ? vector_io(c, *file, transfer_in, static_cast<int64_t>(c.d)) : -EBADF;
}

long sys_pwritev(Call& c) {
  const auto file = served(c);
  if (file == nullptr) return forward_blocking(c);
  return file->is_writable() ? vector_io(c, *file, transfer_out, static_cast<int64_t>(c.d)) : -EBADF;
}

long sys_lseek(Call& c) {
  const auto file = served(c);
  if (file != nullptr && file->is_name_only()) return -EBADF;
  if (file != nullptr && c.c > SEEK_HOLE) return -EINVAL;  // of what has no offset, too
  return file == nullptr ? forward(c) : file->seek(static_cast<int64_t>(c.b), static_cast<int>(c.c));
}

long sys_getdents64(Call& c) {
  const auto file = served(c);
  if (file != nullptr && file->is_name_only()) return -EBADF;
  return file == nullptr ? forward(c) : file->list(c.thread, Call::pointer<void>(c.b), c.c);
}

namespace {

// The entries of getdents64(2) at `at`, `size` bytes of them, in the older form: the type is each one's last byte.
bool make_old_entries(uint64_t at, size_t size) {
  constexpr size_t size_offset = 16, type_offset = 18, name_offset = 19;
  std::vector<char> entries(size);
  if (osp_user_copy(entries.data(), Call::pointer<void>(at), size) != 0) return false;
  uint16_t length = 0;
  for (size_t start = 0; start + name_offset < size; start += length) {
    char* const entry = entries.data() + start;
    std::memcpy(&length, entry + size_offset, sizeof length);
    const char type = entry[type_offset];
    std::memmove(entry + type_offset, entry + name_offset, length - name_offset);
    entry[length - 1] = type;
  }
  return osp_user_copy(Call::pointer<void>(at), entries.data(), size) == 0;
}

}  // namespace

long sys_getdents(Call& c) {
  if (served(c) == nullptr) return forward(c);
  const long size = sys_getdents64(c);
  return size <= 0 || make_old_entries(c.b, static_cast<size_t>(size)) ? size : -EFAULT;
}

long sys_fstat(Call& c) {
  const auto file = served(c);
  if (file == nullptr) return forward(c);
  const auto attributes = file->stat();
  return attributes ? put_stat(c.b, *attributes) : -attributes.error().code;
}

long sys_fsync(Call& c) {
  const auto file = served(c);
  if (file == nullptr) return forward_blocking(c);
  return file->is_name_only() ? -EBADF : file->sync();
}

long sys_ftruncate(Call& c) {
  const auto file = served(c);
  if (file == nullptr) return forward(c);
  if (file->is_name_only()) return -EBADF;
  if (static_cast<int64_t>(c.b) < 0) return -EINVAL;
  return file->is_writable() ? file->truncate(c.b) : -EINVAL;
}

long sys_fchmod(Call& c) {
  const auto file = served(c);
  if (file == nullptr) return forward(c);
  if (file->is_name_only()) return -EBADF;
  pip::AttributeChange change;
  change.has_mode = true, change.mode = static_cast<uint32_t>(c.b) & 07777;
  return to_long(file->change(change));
}

long sys_fchown(Call& c) {
  const auto file = served(c);
  if (file == nullptr) return forward(c);
  if (file->is_name_only()) return -EBADF;
  pip::AttributeChange change;
  change.has_uid = static_cast<int>(c.b) != -1, change.uid = static_cast<uint32_t>(c.b);
  change.has_gid = static_cast<int>(c.c) != -1, change.gid = static_cast<uint32_t>(c.c);
  return to_long(file->change(change));
}

long sys_close(Call& c) {
  const auto fd = static_cast<int>(c.a);
  if (file::is_core_fd(fd)) return -EBADF;
  const long late = c.process.files->forget(fd);
  const long result = forward(c);
  return result < 0 ? result : late;
}

long sys_close_range(Call& c) {
  constexpr uint64_t cloexec = 4;
  if (c.a > c.b) return -EINVAL;
  if ((c.c & ~uint64_t{6}) != 0) return -EINVAL;
  for (const int fd : file::open_fds()) {
    if (static_cast<uint64_t>(fd) < c.a || static_cast<uint64_t>(fd) > c.b || file::is_core_fd(fd)) continue;
    if ((c.c & cloexec) != 0) {
      raw::syscall(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC);
      continue;
    }
    c.process.files->forget(fd);
    raw::close(fd);
  }
  return 0;
}

long sys_dup(Call& c) {
  const long fd = forward(c);
  if (auto file = c.process.files->share(static_cast<int>(c.a)); fd >= 0 && file != nullptr)
    c.process.files->adopt(static_cast<int>(fd), std::move(file));
  copy_directory(c, fd);
  return fd;
}

long sys_dup3(Call& c) {
  const auto from = static_cast<int>(c.a), to = static_cast<int>(c.b);
  if (c.nr == SYS_dup2 && from == to) return raw::syscall(SYS_fcntl, from, F_GETFD) < 0 ? -EBADF : to;
  if (file::is_core_fd(from) || file::is_core_fd(to)) return -EBADF;  // docs/caveats.md
  auto file = c.process.files->share(from);
  const long fd = forward(c);
  if (fd < 0) return fd;
  c.process.files->forget(to);
  if (file != nullptr) c.process.files->adopt(to, std::move(file));
  copy_directory(c, fd);
  return fd;
}

namespace {

// A call of the host's that makes the file's calls wait or not, of all fds that it has.
long change_waiting(Call& c, bool waits) {
  if (waits) c.process.files->forget_who_never_waits();
  const long result = forward(c);
  if (!waits && result >= 0) c.process.files->mark(static_cast<int>(c.a), trap::fd_never_waits);
  return result;
}

}  // namespace

long sys_fcntl(Call& c) {
  const auto fd = static_cast<int>(c.a);
  auto file = c.process.files->share(fd);
  if (is_lock_command(c.b)) return file != nullptr ? lock_served(c, *file) : lock_of_host(c);
  if (file == nullptr) {
    const long result = c.b == F_SETFL ? change_waiting(c, (c.c & O_NONBLOCK) == 0) : forward(c);
    if (c.b == F_DUPFD || c.b == F_DUPFD_CLOEXEC) copy_directory(c, result);
    return result;
  }
  switch (c.b) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC: {
      const long made = forward(c);
      if (made >= 0) c.process.files->adopt(static_cast<int>(made), std::move(file));
      return made;
    }
    case F_GETFD:
    case F_SETFD:
      return forward(c);
    case F_GETFL:
      return file->flags | 0100000;  // O_LARGEFILE, as the kernel shows it
    case F_SETFL: {
      constexpr int changeable = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME;
      file->flags = (file->flags & ~changeable) | (static_cast<int>(c.c) & changeable);
      return forward(c);
    }
    default:
      return forward(c);  // owners: on the placeholder, which the processes share as they do the file
  }
}

long sys_cachestat(Call& c) { return served(c) != nullptr ? -EBADF : forward(c); }

long sys_ioctl(Call& c) {
  const auto file = served(c);
  if (file != nullptr && c.b != FIOCLEX && c.b != FIONCLEX) return file->control(c.thread, c.b, c.c);
  int on = 0;
  if (file == nullptr && c.b == FIONBIO && get(c.c, on)) return change_waiting(c, on == 0);
  return forward_blocking(c);
}

}  // namespace osp::linux
