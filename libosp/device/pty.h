#pragma once

#include "libosp/device/terminal.h"

namespace osp::device {

// A pseudo-terminal (pty(7)): the line is the program that has the master open. It is /dev/pts/N while that is so.
class Pty final : public Terminal {
 public:
  explicit Pty(unsigned n);
  void send() override { master_changed.notify(); }
  void input_has_room() override { master_changed.notify(); }
  [[nodiscard]] bool is_sending() override { return false; }

  const unsigned number;
  bool locked = true;  // until unlockpt(3)
  task::WaitQueue master_changed;
};

// What open(2) of /dev/ptmx gives.
class PtyMaster final : public file::Description {
 public:
  PtyMaster(std::shared_ptr<Pty> pty, int open_flags);
  ~PtyMaster() override;  // the other side hangs up

  // What programs write to the terminal; EIO when the last of them has closed it.
  long read(task::Thread& thread, void* to, size_t size) override;
  // What is typed.
  long write(task::Thread& thread, const void* from, size_t size) override;
  Result<pip::Attributes> stat() override;
  long control(task::Thread& thread, uint64_t request, uint64_t argument) override;
  [[nodiscard]] short ready() const override;
  task::WaitQueue* changes() override { return &pty_->master_changed; }

 private:
  [[nodiscard]] bool is_deserted() const { return pty_->was_opened && pty_->open_files == 0; }
  long open_peer(task::Thread& thread, int open_flags);

  std::shared_ptr<Pty> pty_;
};

// ENOSPC: there are too many.
Result<std::shared_ptr<file::Description>> open_ptmx(int flags);

}  // namespace osp::device
