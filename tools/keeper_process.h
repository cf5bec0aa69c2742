#pragma once

#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "pip/shm_server.h"
#include "tools/keeper_pages.h"

namespace osp::keeper {

// A process of the environment: its channel, and the fids that it has under its own numbers.
class Process {
 public:
  // The other end of the socket is left in `theirs`.
  static Result<std::shared_ptr<Process>> create(pip::HostFd& theirs);
  // What a forked child begins with.
  static Result<std::shared_ptr<Process>> fork(const Process& parent, pip::HostFd& theirs);
  // With one that the core has made.
  static Result<std::shared_ptr<Process>> create_on(pip::HostFd socket);

  struct Held {
    FidPtr fid;
    bool has_pages = false;  // the memfd has been sent
  };
  // Null: there is no such fid.
  Held* find(uint32_t tree, uint32_t fid);
  void put(uint32_t tree, uint32_t fid, FidPtr file);
  // Takes a fid away. Null: there was none.
  FidPtr take(uint32_t tree, uint32_t fid);
  // Closes what nobody else has. In a job.
  void end();

  [[nodiscard]] pip::ShmServer& channel() { return *channel_; }
  [[nodiscard]] int socket() const { return socket_.get(); }
  // Sends it fds; the number that a reply then names them by. EIO: it is gone.
  Result<uint32_t> send(const std::vector<int>& fds);
  // Takes what has come over the socket. EIO: the process has ended.
  Result<void> receive();
  // The fds that the process has sent under this serial. EIO: there are none.
  Result<std::vector<pip::HostFd>> take_sent(uint32_t serial);
  // A lock was granted to it, which it takes next.
  void granted_lock() { ++locks_granted_; }
  // It was granted, but nobody waits for the answer any more.
  void abandoned_lock() { --locks_granted_; }
  // Whether it may still be about to take one.
  [[nodiscard]] bool is_locking() { return !gone_ && channel_->locks_settled() != locks_granted_; }
  [[nodiscard]] bool is_gone() const { return gone_; }
  void set_gone() { gone_ = true; }

 private:
  std::unique_ptr<pip::ShmServer> channel_;
  pip::HostFd socket_;
  std::unordered_map<uint64_t, Held> fids_;  // by tree and number
  uint32_t last_serial_ = 0;
  std::map<uint32_t, std::vector<pip::HostFd>> sent_;  // that nobody has asked for yet
  bool gone_ = false;
  uint32_t locks_granted_ = 0;
};

}  // namespace osp::keeper
