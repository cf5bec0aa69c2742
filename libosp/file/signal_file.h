#pragma once

#include "libosp/file/files.h"
#include "libosp/signal/state.h"

namespace osp::file {

// signalfd(2). The host never has a signal pending for it (the core takes them all), so its placeholder is
// an eventfd, readable while a signal of the mask is pending, for poll(2) and epoll(7). Natively it has a wait queue.
class SignalFile final : public Description {
 public:
  SignalFile(signal::Mask mask, int event_fd) : mask_(mask), event_fd_(event_fd) {}
  ~SignalFile() override;

  long read(task::Thread& thread, void* to, size_t size) override;
  long write(task::Thread&, const void*, size_t) override { return -EINVAL; }
  Result<pip::Attributes> stat() override;
  [[nodiscard]] short ready() const override { return has_pending() ? POLLIN : short{0}; }
  task::WaitQueue* changes() override { return &changed_; }

  void set_mask(signal::Mask mask);
  void arrived(int signo);
  void taken();
  [[nodiscard]] signal::Mask mask() const { return mask_; }

 private:
  void set_readable(bool readable);
  [[nodiscard]] bool has_pending() const;
  task::Wake wait(task::Thread& thread);

  signal::Mask mask_;
  int event_fd_;  // a core's fd of the same eventfd as the placeholder; natively -1
  task::WaitQueue changed_;
  bool readable_ = false;
};

// signalfd4(2); `fd` -1 makes one.
long make_signal_file(task::Thread& thread, int fd, signal::Mask mask, int flags);

}  // namespace osp::file
