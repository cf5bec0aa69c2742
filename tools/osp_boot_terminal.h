#pragma once

#include <sys/types.h>
#include <termios.h>

#include "pip/host_walk.h"

namespace osp::tools {

// The terminal that osp-boot was started on, whose every key goes to the machine while it is raw. It is as it was
// again when this is gone, and also when osp-boot is killed: a small process waits for that.
class RawTerminal {
 public:
  // Of fd 0; wanted: whether to do anything at all.
  explicit RawTerminal(bool wanted);
  ~RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

  void make_raw() const;
  void restore() const;

 private:
  void start_guard();

  termios before_{};
  bool wanted_;
  pip::HostFd guard_;  // the guard sees its end
  pid_t guard_pid_ = 0;
};

}  // namespace osp::tools
