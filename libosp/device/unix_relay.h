#pragma once

#include "libosp/device/unix_socket.h"

namespace osp::device {

// Tells one queue what another one hears of.
class UnixSocket::Relay final : public task::Listener {
 public:
  Relay(task::WaitQueue& from, task::WaitQueue& to) : Listener(from), to_(to) {}
  void changed() override { to_.notify(); }

 private:
  task::WaitQueue& to_;
};

}  // namespace osp::device
