#pragma once

#include "pip/client_wire.h"
#include "pip/stream_socket.h"

namespace osp::pip {

// Over a unix or TCP socket.
class StreamWire final : public ClientWire {
 public:
  explicit StreamWire(HostFd fd) : fd_(std::move(fd)) {}

  [[nodiscard]] int fd() const override { return fd_.get(); }
  [[nodiscard]] short events() const override;
  Result<void> begin(ClientLink& link) override;
  Result<bool> serve() override;
  Result<void> send(std::string& bytes) override;
  void finish() override {}  // the kernel sends on
  [[nodiscard]] std::chrono::milliseconds most_silence() const override { return std::chrono::seconds(3); }

 private:
  HostFd fd_;
  ClientLink* link_ = nullptr;
  std::string out_;      // not yet sent
  size_t out_sent_ = 0;  // bytes of it
};

}  // namespace osp::pip
