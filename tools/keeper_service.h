#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tools/keeper_group.h"

namespace osp::keeper {

// The keeper: the processes of one environment on one side, servers on the other.
class Service {
 public:
  // `cache_limit`: bytes of pages to keep. EMFILE, ENOMEM.
  static Result<std::unique_ptr<Service>> create(uint64_t cache_limit);
  ~Service();
  // Greets the environment's first process over its socket. EPIPE, ENOTSOCK.
  Result<void> begin(pip::HostFd socket);
  // Serves until the last process has gone and what it wrote is sent.
  void run();

 private:
  using ProcessPtr = std::shared_ptr<Process>;
  using Request = pip::ShmServer::Request;

  explicit Service(uint64_t cache_limit) : pages_(cache_limit) {}
  Result<void> add(const ProcessPtr& process);
  void hear(const ProcessPtr& process);
  void remove(const ProcessPtr& process);
  void take_requests();
  void tick();
  void start_job(std::function<void()> body);

  void serve(const ProcessPtr& process, const Request& request);
  Result<std::string> answer(Process& process, const Request& request);
  Result<std::string> group(Process& process, Tree& tree, const Request& request);
  Result<std::string> attach(const Request& request, std::string& why);
  Result<std::string> map(Process& process, Tree& tree, const Request& request);
  Result<pip::LockAnswer> lock(Process& process, Tree& tree, const Request& request);
  void serve_lock(const ProcessPtr& process, const Request& request);
  void look_at_locks();
  [[nodiscard]] bool is_locking() const;
  Result<std::string> fifo(Process& process, Tree& tree, const Request& request);
  Result<std::string> fork(Process& process);
  Result<Tree*> find_or_add(const std::string& url, std::string& why);
  Result<void> connect(Tree& tree, std::string& why);
  void wait_for_servers();
  void wait_for_server(const Tree& tree);

  std::unique_ptr<Loop> loop_;
  pip::HostFd doorbell_;
  pip::HostFd environment_fd_;
  pip::shm::Environment* environment_ = nullptr;
  std::vector<std::unique_ptr<Tree>> trees_;
  PageCache pages_;
  std::vector<ProcessPtr> processes_;
  size_t running_ = 0;   // jobs
  int64_t left_ms_ = 0;  // when the last process went
  WaitList idle_;        // those that wait for servers
  unsigned ticks_ = 0;
};

}  // namespace osp::keeper
