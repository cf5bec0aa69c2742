#pragma once

#include <unordered_map>

#include "pip/channel.h"
#include "pip/shm_port.h"

namespace osp::pip {

// A server's session that the keeper holds, for one process: groups go through the process's port.
class ShmChannel final : public Channel {
 public:
  // `port` and `environment` must live longer. `server` and `iounit` are what attach answered.
  ShmChannel(ShmPort& port, const shm::Environment& environment, uint32_t server, uint32_t iounit)
      : port_(port), environment_(environment), server_(server), iounit_(iounit) {}

  Result<uint64_t> submit(const std::vector<Message>& messages, uint16_t flags) override;
  Result<Answer> wait(uint64_t tag) override;
  void forget(uint64_t tag) override { port_.forget(tag); }
  [[nodiscard]] uint32_t iounit() const override { return iounit_; }
  Result<PageRange> map(uint32_t fid, uint64_t offset, uint64_t size, bool writable) override;
  Result<int> fifo(uint64_t id) override;
  Result<std::string> watch(std::string_view path) override;
  Result<LockAnswer> lock(uint32_t fid, LockKind kind, const LockRange& range) override;
  void lock_settled() override;
  void lock_released() override;
  [[nodiscard]] uint64_t outside_changes() const override;

  // Whether somebody may have written through a mapping.
  [[nodiscard]] bool has_written_pages() const { return has_written_pages_; }

  // In a forked child: what was read ahead is asked for again, since nobody will answer here.
  void after_fork() { ++forks_; }

 private:
  ShmPort& port_;
  const shm::Environment& environment_;
  uint32_t server_;
  uint32_t iounit_;
  uint64_t forks_ = 0;
  bool has_written_pages_ = false;
  std::unordered_map<uint32_t, int> pages_;  // fid → the memfd with its contents
};

}  // namespace osp::pip
