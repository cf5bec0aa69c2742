#include "libosp/device/pipe.h"

#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>

#include "libosp/device/support.h"
#include "libosp/linux/call.h"

namespace osp::device {

PipeEnd::PipeEnd(std::shared_ptr<Pipe> pipe, int open_flags)
    : pipe_(std::move(pipe)), writers_at_open_(pipe_->writers > 0 ? UINT64_MAX : pipe_->writers_ever) {
  flags = open_flags;
  if (is_readable()) ++pipe_->readers, ++pipe_->readers_ever;
  if (is_writable()) ++pipe_->writers, ++pipe_->writers_ever;
}

PipeEnd::~PipeEnd() {
  if (is_readable()) --pipe_->readers;
  if (is_writable()) --pipe_->writers;
  if (pipe_->readers == 0 && pipe_->writers == 0) pipe_->bytes.clear();
  pipe_->readable.notify();
  pipe_->writable.notify();
}

void PipeEnd::tell_readers() { pipe_->readable.notify(); }
// Where an end does both, poll(2) listens to the one queue.
void PipeEnd::tell_writers() {
  pipe_->writable.notify();
  if (pipe_->readers > 0 && pipe_->writers > 0 && (flags & O_ACCMODE) == O_RDWR) pipe_->readable.notify();
}

long PipeEnd::read(task::Thread& thread, void* to, size_t size) {
  if (size == 0) return 0;
  for (;;) {
    if (!pipe_->bytes.empty()) {
      const long got = take_user(pipe_->bytes, to, size);
      if (got > 0) tell_writers();
      return got;
    }
    if (pipe_->writers == 0) return 0;
    if ((flags & O_NONBLOCK) != 0) return -EAGAIN;
    if (const long stop = await(thread, pipe_->readable); stop != 0) return stop;
  }
}

long PipeEnd::write(task::Thread& thread, const void* from, size_t size) {
  size_t done = 0;
  const size_t needed = size <= Pipe::atomic_size ? size : 1;
  while (done < size) {
    if (pipe_->readers == 0) {
      const long broken = broken_pipe(thread);
      return done > 0 ? static_cast<long>(done) : broken;
    }
    if (pipe_->bytes.room() >= needed) {
      const long put = put_user(pipe_->bytes, static_cast<const std::byte*>(from) + done, size - done);
      if (put < 0) return done > 0 ? static_cast<long>(done) : put;
      done += static_cast<size_t>(put);
      tell_readers();
      continue;
    }
    if ((flags & O_NONBLOCK) != 0) return done > 0 ? static_cast<long>(done) : -EAGAIN;
    if (const long stop = await(thread, pipe_->writable); stop != 0) return done > 0 ? static_cast<long>(done) : stop;
  }
  return static_cast<long>(done);
}

short PipeEnd::ready() const {
  int ready = 0;
  if (is_readable()) {
    if (!pipe_->bytes.empty()) ready |= POLLIN;
    if (pipe_->writers == 0 && pipe_->writers_ever != writers_at_open_) ready |= POLLHUP;
  }
  if (is_writable()) {
    if (pipe_->bytes.room() >= Pipe::atomic_size) ready |= POLLOUT;
    if (pipe_->readers == 0) ready |= POLLERR;
  }
  return static_cast<short>(ready);
}

Result<void> PipeEnd::change(const pip::AttributeChange& change) {
  if (change.has_mode) pipe_->attributes.mode = (pipe_->attributes.mode & S_IFMT) | (change.mode & 07777);
  if (change.has_uid) pipe_->attributes.uid = change.uid;
  if (change.has_gid) pipe_->attributes.gid = change.gid;
  return {};
}

long PipeEnd::control(task::Thread&, uint64_t request, uint64_t argument) {
  if (request != FIONREAD) return -ENOTTY;
  return linux::put(argument, static_cast<int>(pipe_->bytes.size())) ? 0 : -EFAULT;
}

std::shared_ptr<file::Description> PipeEnd::reopened(int open_flags) {
  return std::make_shared<PipeEnd>(pipe_, open_flags);
}

long PipeEnd::resize(uint64_t capacity) {
  if (capacity > Pipe::most) return -EPERM;
  const size_t rounded = std::bit_ceil(std::max<size_t>(capacity, Pipe::atomic_size));
  if (!pipe_->bytes.resize(rounded)) return -EBUSY;
  tell_writers();
  return static_cast<long>(rounded);
}

std::pair<std::shared_ptr<PipeEnd>, std::shared_ptr<PipeEnd>> make_pipe(int flags) {
  auto pipe = std::make_shared<Pipe>();
  pipe->attributes = attributes_of_new(S_IFIFO | 0600);
  auto reader = std::make_shared<PipeEnd>(pipe, O_RDONLY | flags);
  auto writer = std::make_shared<PipeEnd>(pipe, O_WRONLY | flags);
  return {std::move(reader), std::move(writer)};
}

}  // namespace osp::device
