#pragma once

#include "base/raw_syscall.h"
#include "libosp/signal/state.h"

namespace osp::task {

// For as long as it lives, this host thread takes no signals; they wait in the host. Signal-safe.
class SignalsHeld {
 public:
  SignalsHeld() {
    const signal::Mask all = ~signal::Mask{0};
    raw::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before_, 8);
  }
  ~SignalsHeld() { raw::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before_, 0, 8); }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;

 private:
  signal::Mask before_ = 0;
};

}  // namespace osp::task
