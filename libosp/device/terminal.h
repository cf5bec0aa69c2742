#pragma once

#include <sys/ioctl.h>

#include <memory>
#include <string>

#include "libosp/device/line_discipline.h"
#include "libosp/file/files.h"

namespace osp::device {

// A terminal: a line discipline between a line (a serial port, a pseudo-terminal's master) and the programs that have
// it open, and whose session it controls (tty_ioctl(4)).
class Terminal : public LineDiscipline::Signals {
 public:
  Terminal(uint64_t device_number, std::string where);

  // Bytes from the line; how many it took. The others are offered again after input_has_room().
  size_t receive(std::span<const std::byte> bytes);
  // Sends what waits to the line, as much as it takes; call it also when the line can take more.
  virtual void send() = 0;
  // There is room for input again.
  virtual void input_has_room() = 0;
  // Whether what a program wrote is still on its way (tcdrain(3)).
  [[nodiscard]] virtual bool is_sending() { return !discipline.output().empty(); }

  // The line is gone, or the session has ended: files that are open now are at their end.
  void hang_up();
  // The session loses it; its foreground group hears SIGHUP and, if `goes_on`, SIGCONT.
  void leave_session(bool goes_on);
  void resize(const winsize& size);  // SIGWINCH to the foreground

  void raise(int signo) override;

  LineDiscipline discipline{*this};
  task::WaitQueue changed;  // programs may read or write more
  winsize size = {};
  int session = 0, foreground = 0;  // 0: none
  int open_files = 0;
  bool was_opened = false;
  bool exclusive = false;  // TIOCEXCL
  uint64_t hang_ups = 0;
  const uint64_t device;  // st_rdev
  const std::string path;
  pip::Attributes attributes;
};

// An open terminal, as programs have it.
class TerminalFile final : public file::Description {
 public:
  TerminalFile(std::shared_ptr<Terminal> terminal, int open_flags);
  ~TerminalFile() override;

  // With the job control of POSIX: SIGTTIN and SIGTTOU to a group in the background, EIO for an orphaned one.
  long read(task::Thread& thread, void* to, size_t size) override;
  long write(task::Thread& thread, const void* from, size_t size) override;
  Result<pip::Attributes> stat() override { return terminal_->attributes; }
  Result<void> change(const pip::AttributeChange& change) override;
  long control(task::Thread& thread, uint64_t request, uint64_t argument) override;
  [[nodiscard]] short ready() const override;
  task::WaitQueue* changes() override { return &terminal_->changed; }
  [[nodiscard]] std::shared_ptr<Description> reopened(int open_flags) override;
  [[nodiscard]] Terminal& terminal() { return *terminal_; }

 private:
  [[nodiscard]] bool hung_up() const { return hang_ups_ != terminal_->hang_ups; }
  [[nodiscard]] bool has_enough() const;
  long read_line(task::Thread& thread, void* to, size_t size);
  long read_bytes(task::Thread& thread, void* to, size_t size);
  long wait_for_input(task::Thread& thread, uint64_t deadline_ns);

  std::shared_ptr<Terminal> terminal_;
  uint64_t hang_ups_;
};

// 0: the caller may do to its terminal what only the foreground may; else the call's result, and the signal is sent.
long check_foreground(task::Thread& thread, const Terminal& terminal, int signo);

// The ioctls of a terminal that both ends of a pseudo-terminal serve alike; -ENOTTY: it is another.
long terminal_control(task::Thread& thread, Terminal& terminal, uint64_t request, uint64_t argument, bool is_master);

}  // namespace osp::device
