// What is done with fd numbers natively: dup(2), fcntl(2), close(2), ioctl(2); and readv(2) and writev(2), where a pipe
// or socket must see one transfer.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <algorithm>

#include "libosp/device/pipe.h"
#include "libosp/file/served_file.h"
#include "libosp/linux/calls.h"
#include "libosp/linux/send_whole.h"
#include "libosp/native/calls.h"
#include "libosp/native/lock.h"
#include "libosp/native/sealed_file.h"

namespace osp::native {
namespace {

using file::Description;

std::shared_ptr<Description> file_of(const Call& c) { return c.process.files->share(static_cast<int>(c.a)); }

long duplicate(Call& c, int lowest, bool close_on_exec) {
  auto file = file_of(c);
  return file == nullptr ? -EBADF : c.process.files->install(std::move(file), close_on_exec, lowest);
}

long set_flags(Description& file, int wanted) {
  constexpr int changeable = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | O_ASYNC;
  file.flags = (file.flags & ~changeable) | (wanted & changeable & ~O_ASYNC);
  return 0;
}

}  // namespace

long sys_dup(Call& c) { return duplicate(c, 0, false); }

long sys_dup3(Call& c) {
  const auto from = static_cast<int>(c.a), to = static_cast<int>(c.b);
  const bool is_dup3 = c.nr == SYS_dup3;
  if (is_dup3 && ((c.c & ~uint64_t{O_CLOEXEC}) != 0 || from == to)) return -EINVAL;
  auto file = file_of(c);
  if (file == nullptr) return -EBADF;
  if (from == to) return to;
  return c.process.files->install_at(to, std::move(file), is_dup3 && (c.c & O_CLOEXEC) != 0);
}

long sys_close(Call& c) { return c.process.files->close(static_cast<int>(c.a)); }

long sys_close_range(Call& c) {
  constexpr uint64_t unshare = 2, cloexec = 4;
  if (c.a > c.b || (c.c & ~(unshare | cloexec)) != 0) return -EINVAL;
  file::Files& files = *c.process.files;
  for (const int fd : files.numbers().taken()) {
    const auto number = static_cast<uint64_t>(fd);
    if (number < static_cast<uint32_t>(c.a) || number > static_cast<uint32_t>(c.b)) continue;
    if ((c.c & cloexec) != 0) {
      files.numbers().set_close_on_exec(fd, true);
    } else {
      files.close(fd);
    }
  }
  return 0;
}

namespace {

long seal(Description& file, bool add, unsigned seals) {
  auto* served = dynamic_cast<file::ServedFile*>(&file);
  auto* sealed = served != nullptr ? dynamic_cast<SealedFile*>(&served->file()) : nullptr;
  if (sealed == nullptr) return -EINVAL;
  if (!add) return sealed->seals();
  return file.is_writable() ? linux::to_long(sealed->add_seals(seals)) : -EPERM;
}

}  // namespace

long sys_fcntl(Call& c) {
  const auto fd = static_cast<int>(c.a);
  const auto file = file_of(c);
  if (file == nullptr) return -EBADF;
  file::Numbers& numbers = c.process.files->numbers();
  auto* pipe = dynamic_cast<device::PipeEnd*>(file.get());
  switch (c.b) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
      return duplicate(c, static_cast<int>(c.c), c.b == F_DUPFD_CLOEXEC);
    case F_GETFD:
      return numbers.closes_on_exec(fd) ? FD_CLOEXEC : 0;
    case F_SETFD:
      numbers.set_close_on_exec(fd, (c.c & FD_CLOEXEC) != 0);
      return 0;
    case F_GETFL:
      return file->flags | (file->path().empty() ? 0 : 0100000);  // O_LARGEFILE, which open(2) adds
    default:
      break;
  }
  if (file->is_name_only()) return -EBADF;
  if (is_lock_command(c.b)) return lock_range(c, *file);
  switch (c.b) {
    case F_SETFL:
      return set_flags(*file, static_cast<int>(c.c));
    case F_GETPIPE_SZ:
      return pipe != nullptr ? static_cast<long>(pipe->pipe().bytes.capacity()) : -EBADF;
    case F_SETPIPE_SZ:
      return pipe != nullptr ? pipe->resize(static_cast<uint32_t>(c.c)) : -EBADF;
    case F_ADD_SEALS:
    case F_GET_SEALS:
      return seal(*file, c.b == F_ADD_SEALS, static_cast<unsigned>(c.c));
    case F_SETOWN:  // of signals that are not sent: docs/caveats.md
    case F_GETOWN:
      return 0;
    default:
      return -EINVAL;
  }
}

namespace {

long set_nonblocking(Description& file, uint64_t address) {
  int on = 0;
  if (!linux::get(address, on)) return -EFAULT;
  file.flags = on != 0 ? file.flags | O_NONBLOCK : file.flags & ~O_NONBLOCK;
  return 0;
}

// FIONREAD of a file with an end: what lies behind the offset.
long bytes_left(Description& file, uint64_t address) {
  const auto now = file.stat();
  if (!now || !S_ISREG(now->mode)) return -ENOTTY;
  const int64_t left = static_cast<int64_t>(now->size) - file.seek(0, SEEK_CUR);
  return linux::put(address, static_cast<int>(left)) ? 0 : -EFAULT;
}

}  // namespace

long sys_ioctl(Call& c) {
  const auto file = file_of(c);
  if (file == nullptr || file->is_name_only()) return -EBADF;
  const auto request = static_cast<uint32_t>(c.b);
  switch (request) {
    case FIOCLEX:
    case FIONCLEX:
      c.process.files->numbers().set_close_on_exec(static_cast<int>(c.a), request == FIOCLEX);
      return 0;
    case FIONBIO:
      return set_nonblocking(*file, c.c);
    default:
      break;
  }
  const long result = file->control(c.thread, request, c.c);
  return result == -ENOTTY && request == FIONREAD ? bytes_left(*file, c.c) : result;
}

namespace {

constexpr size_t most_at_once = 1024 * 1024;

// One transfer for what has no offset. The buffers are the program's; `data` is the core's.
long scatter(const std::vector<iovec>& buffers, const std::vector<std::byte>& data, size_t size) {
  size_t done = 0;
  for (const iovec& buffer : buffers) {
    const size_t part = std::min(buffer.iov_len, size - done);
    if (part != 0 && osp_user_copy(buffer.iov_base, data.data() + done, part) != 0) return -EFAULT;
    done += part;
  }
  return static_cast<long>(size);
}

long gather(const std::vector<iovec>& buffers, std::vector<std::byte>& data) {
  size_t done = 0;
  for (const iovec& buffer : buffers) {
    const size_t part = std::min(buffer.iov_len, data.size() - done);
    if (part != 0 && osp_user_copy(data.data() + done, buffer.iov_base, part) != 0) return -EFAULT;
    done += part;
  }
  return 0;
}

struct Vector {
  std::shared_ptr<Description> file;
  std::vector<iovec> buffers;
  std::vector<std::byte> data;
};

// False: it is a file with an offset, or not for such a call; the common handler's.
Result<bool> take_vector(Call& c, Vector& v) {
  v.file = file_of(c);
  if (v.file == nullptr || v.file->is_name_only() || v.file->seek(0, SEEK_CUR) != -ESPIPE) return false;
  auto buffers = linux::Buffers::at(c.b, c.c);
  if (!buffers) return fail(buffers.error().code);
  v.buffers.assign(buffers->data(), buffers->data() + buffers->count());
  v.data.resize(std::min(buffers->size(), most_at_once));
  return true;
}

}  // namespace

long sys_readv(Call& c) {
  Vector v;
  const auto own = take_vector(c, v);
  if (!own) return -own.error().code;
  if (!*own) return linux::sys_readv(c);
  if (!v.file->is_readable()) return -EBADF;
  const long got = v.file->read(c.thread, v.data.data(), v.data.size());
  return got <= 0 ? got : scatter(v.buffers, v.data, static_cast<size_t>(got));
}

long sys_writev(Call& c) {
  Vector v;
  const auto own = take_vector(c, v);
  if (!own) return -own.error().code;
  if (!*own) return linux::sys_writev(c);
  if (!v.file->is_writable()) return -EBADF;
  if (const long bad = gather(v.buffers, v.data); bad != 0) return bad;
  return v.file->write(c.thread, v.data.data(), v.data.size());
}

}  // namespace osp::native
