#pragma once

#include <memory>

#include "libosp/host/native.h"
#include "libosp/native/boot_record.h"
#include "libosp/native/control_line.h"
#include "libosp/native/processes.h"
#include "libosp/native/uart_channel.h"
#include "libosp/native/uart_console.h"
#include "libosp/native/uart_devices.h"

namespace osp::native {

// What the first process has as fds 0, 1 and 2, and what osp-boot orders. With the driver task `uart` the first serial
// port is its terminal, or its standard input and output; what is left, and all without the driver, is the kernel's
// console.
class Console final : public FirstProcess, public ControlLine::Orders, public UartDevices::Owner {
 public:
  // The processes are the caller's, and have their first. Nothing is served before open().
  explicit Console(Processes& processes) : processes_(processes) {}
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  // Opens the fds. On the worker's thread, before there are fibers.
  void open(const BootInfo& info, const BootRecord& record);

  void stopped() override;
  // Waits until all that was written has gone out, or osp-boot says that it is not wanted.
  void ending() override;
  // The end of the machine, which nobody hears any more.
  [[noreturn]] void driver_ended() override;

 private:
  struct Ports {
    std::unique_ptr<UartClient> client;
    std::unique_ptr<UartLine> line;
    std::unique_ptr<ControlLine> control;
    std::unique_ptr<UartChannel> channel;
  };
  void take(const Order& order) override;
  Result<void> connect(uint32_t service);
  // The driver's files, at /dev/uart of the first process's name space.
  void serve_ports();
  Member& first() { return *processes_.find(Processes::first_pid); }
  void make_console(const BootRecord& record);

  Processes& processes_;
  UartDevices devices_{*this};
  std::shared_ptr<UartConsole> console_;  // null: there is no driver
  Ports ports_;
  bool ending_ = false, is_unwanted_ = false;
};

}  // namespace osp::native
