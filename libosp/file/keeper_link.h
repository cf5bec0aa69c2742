#pragma once

#include <map>
#include <vector>

#include "libosp/task/scheduler.h"
#include "pip/shm_port.h"

namespace osp::keeper {

// How the core waits for the keeper: with one thread in the host's futex, with several by parking the fiber. Only a
// signal that ends the process cuts a wait short, as with files on Linux.
class Link final : public pip::ShmLink {
 public:
  // The fds are the core's own (file::keep_fd) and belong to this object.
  Link(int socket, int doorbell, int event) : socket_(socket), doorbell_(doorbell), event_(event) {}

  void ring() override;
  Result<void> wait(pip::shm::Header& header, uint32_t seen) override;
  Result<int> receive_fd(uint32_t serial) override;
  void close_fd(int fd) override;

  // All fds that came under a serial.
  Result<std::vector<int>> receive(uint32_t serial);
  // Sends fds to the keeper; the number that a request then names them by. EIO: it is gone.
  Result<uint32_t> send(const std::vector<int>& fds);
  // In a forked child; -1: there is no channel for it, and every wait is EIO.
  void replace(int socket, int event);
  // While it is set, nothing else runs while we wait.
  void set_exclusive(bool exclusive) { exclusive_ = exclusive; }

 private:
  Result<void> block(pip::shm::Header& header, uint32_t seen);
  Result<void> park(pip::shm::Header& header, uint32_t seen, task::Thread& thread);
  bool is_gone() const;
  void end();

  int socket_, doorbell_, event_;
  bool exclusive_ = false;
  bool gone_ = false;
  uint32_t last_sent_ = 0;
  std::vector<task::Thread*> parked_;
  std::map<uint32_t, std::vector<int>> arrived_;  // fds of notices that nobody has asked for yet
};

}  // namespace osp::keeper
