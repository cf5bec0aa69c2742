#pragma once

#include "libosp/host/native.h"
#include "libosp/native/uart_client.h"
#include "libosp/task/scheduler.h"

namespace osp::native {

// Waits for what drivers answer, and for time.
class UartDevices final : public task::Devices {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // The driver has ended.
    virtual void driver_ended() = 0;
  };

  explicit UartDevices(Owner& owner) : owner_(owner) {}
  // The client is the caller's; null: there is no driver, and time is all that is waited for. On the worker's thread.
  // ENOMEM, EMFILE.
  Result<void> begin(UartClient* client);
  void look(int64_t timeout_ns) override;

 private:
  Owner& owner_;
  UartClient* client_ = nullptr;
  uint32_t queue_ = no_handle;
};

}  // namespace osp::native
