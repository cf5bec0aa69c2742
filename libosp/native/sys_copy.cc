// Bytes from one fd to another natively: sendfile(2), splice(2), tee(2), copy_file_range(2).
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "libosp/device/pipe.h"
#include "libosp/device/support.h"
#include "libosp/native/calls.h"

namespace osp::native {
namespace {

using device::PipeEnd;
using file::Description;

constexpr size_t chunk = 64 * 1024;
constexpr uint64_t without_waiting = 2;  // SPLICE_F_NONBLOCK

// One side of a copy: a file, and where in it; without an offset of the call's own it is the file's.
struct Side {
  std::shared_ptr<Description> file;
  uint64_t address = 0;  // of the offset in the program's memory, or 0
  int64_t offset = -1;
  bool has_own_offset = false;
};

// EBADF EFAULT EINVAL; ESPIPE for an offset in what has none.
long take_side(Call& c, uint64_t fd, uint64_t address, Side& side) {
  side.file = c.process.files->share(static_cast<int>(fd));
  if (side.file == nullptr || side.file->is_name_only()) return -EBADF;
  side.address = address;
  const long now = side.file->seek(0, SEEK_CUR);
  if (address == 0) {
    side.offset = now;
    return 0;
  }
  if (now == -ESPIPE) return -ESPIPE;
  side.has_own_offset = true;
  if (!linux::get(address, side.offset)) return -EFAULT;
  return side.offset < 0 ? -EINVAL : 0;
}

long read_from(Call& c, Side& side, std::vector<std::byte>& buffer, size_t size) {
  const bool positioned = side.offset >= 0;
  return positioned ? side.file->pread(c.thread, buffer.data(), size, side.offset)
                    : side.file->read(c.thread, buffer.data(), size);
}

long write_to(Call& c, Side& side, const std::byte* data, size_t size) {
  return side.has_own_offset ? side.file->pwrite(c.thread, data, size, side.offset)
                             : side.file->write(c.thread, data, size);
}

void advance(Side& side, size_t done) {
  if (side.offset < 0) return;
  side.offset += static_cast<int64_t>(done);
}

// Where the copying ended, for the program or in the file.
long keep_offset(Side& side, bool is_source) {
  if (side.address != 0) return linux::put(side.address, side.offset) ? 0 : -EFAULT;
  if (is_source && side.offset >= 0) side.file->seek(side.offset, SEEK_SET);
  return 0;
}

// From what can be read at any place, so that nothing is lost where the other side takes less.
long copy(Call& c, Side& from, Side& to, size_t size) {
  std::vector<std::byte> buffer(std::min(size, chunk));
  size_t done = 0;
  long error = 0;
  while (done < size) {
    const long got = read_from(c, from, buffer, std::min(size - done, buffer.size()));
    if (got <= 0) {
      error = got;
      break;
    }
    const long put = write_to(c, to, buffer.data(), static_cast<size_t>(got));
    if (put < 0) {
      error = put;
      break;
    }
    done += static_cast<size_t>(put);
    advance(from, static_cast<size_t>(put)), advance(to, static_cast<size_t>(put));
    if (put < got) break;
  }
  if (done == 0) return error;
  if (const long bad = keep_offset(from, true); bad != 0) return bad;
  if (const long bad = to.has_own_offset ? keep_offset(to, false) : 0; bad != 0) return bad;
  return static_cast<long>(done);
}

bool is_regular(Description& file) {
  const auto now = file.stat();
  return now && S_ISREG(now->mode);
}

}  // namespace

long sys_sendfile(Call& c) {
  Side to, from;
  if (const long bad = take_side(c, c.a, 0, to); bad != 0) return bad;
  if (const long bad = take_side(c, c.b, c.c, from); bad != 0) return bad;
  if (!to.file->is_writable() || !from.file->is_readable()) return -EBADF;
  if (from.offset < 0 || (to.file->flags & O_APPEND) != 0) return -EINVAL;
  return copy(c, from, to, c.d);
}

long sys_copy_file_range(Call& c) {
  Side from, to;
  if (const long bad = take_side(c, c.a, c.b, from); bad != 0) return bad;
  if (const long bad = take_side(c, c.c, c.d, to); bad != 0) return bad;
  if (c.f != 0 || !is_regular(*from.file) || !is_regular(*to.file)) return -EINVAL;
  if (!from.file->is_readable() || !to.file->is_writable() || (to.file->flags & O_APPEND) != 0) return -EBADF;
  const bool same = from.file->identity() == to.file->identity();
  const auto size = static_cast<int64_t>(std::min<uint64_t>(c.e, INT32_MAX));
  if (same && from.offset < to.offset + size && to.offset < from.offset + size) return -EINVAL;
  return copy(c, from, to, static_cast<size_t>(size));
}

namespace {

PipeEnd* as_pipe(const Side& side) { return dynamic_cast<PipeEnd*>(side.file.get()); }

// Waits until the pipe has something. 0: it has; 1: it is at its end.
long wait_for_bytes(Call& c, PipeEnd& end, bool waits) {
  while (end.pipe().bytes.empty()) {
    if (end.pipe().writers == 0) return 1;
    if (!waits || (end.flags & O_NONBLOCK) != 0) return -EAGAIN;
    if (const long stop = device::await(c.thread, end.pipe().readable); stop != 0) return stop;
  }
  return 0;
}

long wait_for_room(Call& c, PipeEnd& end, bool waits) {
  while (end.pipe().readers != 0 && end.pipe().bytes.room() == 0) {
    if (!waits || (end.flags & O_NONBLOCK) != 0) return -EAGAIN;
    if (const long stop = device::await(c.thread, end.pipe().writable); stop != 0) return stop;
  }
  return end.pipe().readers == 0 ? device::broken_pipe(c.thread) : 0;
}

std::vector<std::byte> peek(const device::ByteRing& ring, size_t size) {
  std::vector<std::byte> data;
  data.reserve(std::min(size, ring.size()));
  while (data.size() < size) {
    const auto part = ring.front(data.size());
    if (part.empty()) break;
    data.insert(data.end(), part.begin(),
                part.begin() + static_cast<ptrdiff_t>(std::min(part.size(), size - data.size())));
  }
  return data;
}

// Into another pipe, at once what both can do. `keeps`: tee(2).
long pipe_to_pipe(Call& c, PipeEnd& from, PipeEnd& to, size_t size, bool waits, bool keeps) {
  if (&from.pipe() == &to.pipe()) return -EINVAL;
  if (const long stop = wait_for_bytes(c, from, waits); stop != 0) return stop == 1 ? 0 : stop;
  if (const long stop = wait_for_room(c, to, waits); stop != 0) return stop;
  const std::vector<std::byte> data = peek(from.pipe().bytes, std::min(size, to.pipe().bytes.room()));
  to.pipe().bytes.put(data);
  to.tell_readers();
  if (keeps) return static_cast<long>(data.size());
  from.pipe().bytes.removed(data.size());
  from.tell_writers();
  return static_cast<long>(data.size());
}

// What a blocking file does not take is written again; one that does not block leaves it in the pipe.
long pipe_to_file(Call& c, PipeEnd& from, Side& to, size_t size, bool waits) {
  if (const long stop = wait_for_bytes(c, from, waits); stop != 0) return stop == 1 ? 0 : stop;
  const std::vector<std::byte> data = peek(from.pipe().bytes, std::min(size, chunk));
  const bool blocks = (to.file->flags & O_NONBLOCK) == 0;
  if (blocks) from.pipe().bytes.removed(data.size());
  size_t done = 0;
  long put = 0;
  do {
    put = write_to(c, to, data.data() + done, data.size() - done);
    if (put > 0) done += static_cast<size_t>(put), advance(to, static_cast<size_t>(put));
  } while (blocks && put > 0 && done < data.size());
  if (!blocks) from.pipe().bytes.removed(done);
  from.tell_writers();
  if (done == 0) return put;
  if (const long bad = to.has_own_offset ? keep_offset(to, false) : 0; bad != 0) return bad;
  return static_cast<long>(done);
}

long file_to_pipe(Call& c, Side& from, PipeEnd& to, size_t size, bool waits) {
  if (const long stop = wait_for_room(c, to, waits); stop != 0) return stop;
  std::vector<std::byte> buffer(std::min({size, chunk, to.pipe().bytes.room()}));
  const long got = read_from(c, from, buffer, buffer.size());
  if (got <= 0) return got;
  const long put = to.write(c.thread, buffer.data(), static_cast<size_t>(got));
  if (put < 0) return put;
  advance(from, static_cast<size_t>(put));
  const long bad = keep_offset(from, true);
  return bad != 0 ? bad : put;
}

}  // namespace

long sys_splice(Call& c) {
  Side from, to;
  if (const long bad = take_side(c, c.a, c.b, from); bad != 0) return bad;
  if (const long bad = take_side(c, c.c, c.d, to); bad != 0) return bad;
  if (!from.file->is_readable() || !to.file->is_writable()) return -EBADF;
  PipeEnd *source = as_pipe(from), *target = as_pipe(to);
  const bool waits = (c.f & without_waiting) == 0;
  if (c.e == 0) return 0;
  if (source != nullptr && target != nullptr) return pipe_to_pipe(c, *source, *target, c.e, waits, false);
  if (target != nullptr) return file_to_pipe(c, from, *target, c.e, waits);
  if (source == nullptr || (to.file->flags & O_APPEND) != 0) return -EINVAL;
  return pipe_to_file(c, *source, to, c.e, waits);
}

long sys_tee(Call& c) {
  Side from, to;
  if (const long bad = take_side(c, c.a, 0, from); bad != 0) return bad;
  if (const long bad = take_side(c, c.b, 0, to); bad != 0) return bad;
  PipeEnd *source = as_pipe(from), *target = as_pipe(to);
  if (source == nullptr || target == nullptr) return -EINVAL;
  if (!from.file->is_readable() || !to.file->is_writable()) return -EBADF;
  return c.c == 0 ? 0 : pipe_to_pipe(c, *source, *target, c.c, (c.d & without_waiting) == 0, true);
}

long sys_vmsplice(Call& c) {
  const auto file = c.process.files->share(static_cast<int>(c.a));
  if (dynamic_cast<PipeEnd*>(file.get()) == nullptr) return -EBADF;
  return file->is_writable() ? sys_writev(c) : sys_readv(c);
}

}  // namespace osp::native
