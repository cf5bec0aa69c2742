#pragma once

#include <sys/types.h>

#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pip/channel.h"
#include "pip/client.h"
#include "pip/host_walk.h"

namespace osp::tools {

// The processes of ours (of all users, as root) that run in Osprey, by ascending pid.
std::vector<pid_t> find_core_processes();

// A tool's connection to one process's control tree (libosp/control/serve.h is the other end): the tool signals
// the process, which stops and connects to the tool. The process goes on when this is destroyed. One thread.
class ControlChannel final : public pip::Channel {
 public:
  // What is wrong, for a person: no such process, another user's, not in Osprey, no answer in `patience`.
  static std::expected<std::unique_ptr<ControlChannel>, std::string> open(pid_t pid,
                                                                          std::chrono::milliseconds patience);

  Result<uint64_t> submit(const std::vector<pip::Message>& messages, uint16_t flags) override;
  // ECONNRESET: the process has hung up, or is gone.
  Result<pip::Answer> wait(uint64_t tag) override;
  void forget(uint64_t tag) override { session_.forget(tag); }
  [[nodiscard]] uint32_t iounit() const override { return session_.iounit(); }

  // Called while wait() has nothing to do, ten times a second.
  void while_waiting(std::function<void()> idle) { idle_ = std::move(idle); }

 private:
  explicit ControlChannel(pip::HostFd fd) : fd_(std::move(fd)), session_({}) {}
  Result<void> greet();
  Result<void> flush();
  Result<void> receive();

  pip::HostFd fd_;
  pip::SessionClient session_;
  std::string out_;
  std::function<void()> idle_;
};

// A process's control tree, ready to be read.
struct Control {
  std::unique_ptr<ControlChannel> channel;
  std::unique_ptr<pip::Client> tree;

  static std::expected<Control, std::string> open(pid_t pid);
  // The whole of one of its files.
  [[nodiscard]] Result<std::string> read(std::string_view name) const;
};

}  // namespace osp::tools
