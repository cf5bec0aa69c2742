#pragma once

#include <memory>
#include <utility>

#include "libosp/device/byte_ring.h"
#include "libosp/file/files.h"

namespace osp::device {

// What the ends of a pipe(7) or fifo(7) share.
struct Pipe {
  static constexpr size_t default_capacity = 64 * 1024, most = 1024 * 1024;
  static constexpr size_t atomic_size = 4096;  // PIPE_BUF

  ByteRing bytes{default_capacity};
  int readers = 0, writers = 0;
  uint64_t readers_ever = 0, writers_ever = 0;
  task::WaitQueue readable, writable;  // there is more to read, or no writer any more; room, or no reader
  pip::Attributes attributes;
};

// An open end, or of a fifo both (flags: O_RDWR).
class PipeEnd final : public file::Description {
 public:
  PipeEnd(std::shared_ptr<Pipe> pipe, int open_flags);
  ~PipeEnd() override;

  // Waits until there is something, or nobody writes. A write of up to PIPE_BUF bytes is one piece. Restart codes,
  // EAGAIN, EPIPE with SIGPIPE, EFAULT.
  long read(task::Thread& thread, void* to, size_t size) override;
  long write(task::Thread& thread, const void* from, size_t size) override;
  Result<pip::Attributes> stat() override { return pipe_->attributes; }
  Result<void> change(const pip::AttributeChange& change) override;
  long control(task::Thread& thread, uint64_t request, uint64_t argument) override;
  [[nodiscard]] short ready() const override;
  task::WaitQueue* changes() override { return is_readable() ? &pipe_->readable : &pipe_->writable; }
  [[nodiscard]] std::shared_ptr<Description> reopened(int open_flags) override;

  [[nodiscard]] Pipe& pipe() { return *pipe_; }
  // F_SETPIPE_SZ: the new capacity. EBUSY: more waits than that. EPERM: too much.
  long resize(uint64_t capacity);
  // What is done after bytes were added or removed.
  void tell_readers();
  void tell_writers();

 private:
  std::shared_ptr<Pipe> pipe_;
  uint64_t writers_at_open_;  // a reader does not know of an end before it has had a writer
};

// pipe2(2): the reading and the writing end.
std::pair<std::shared_ptr<PipeEnd>, std::shared_ptr<PipeEnd>> make_pipe(int flags);

}  // namespace osp::device
