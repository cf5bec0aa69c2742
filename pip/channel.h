#pragma once

#include "pip/server.h"
#include "pip/session_client.h"

namespace osp::pip {

// What pip::Client sends its groups through. How a call waits is the channel's business: a thread or a fiber.
class Channel {
 public:
  virtual ~Channel() = default;

  // Queues a group and returns its tag without waiting. ESTALE and others: the session is lost.
  virtual Result<uint64_t> submit(const std::vector<Message>& messages, uint16_t flags) = 0;
  // Waits for a group's answer, once for each tag, across broken connections.
  virtual Result<Answer> wait(uint64_t tag) = 0;
  // Nobody will wait for this one.
  virtual void forget(uint64_t tag) = 0;
  // The most bytes that one Tread or Twrite may carry.
  [[nodiscard]] virtual uint32_t iounit() const = 0;
  // Pages of an open file, where the other end has a page cache (File::map). The fd is the channel's until the fid is
  // clunked. ENODEV: it has none.
  virtual Result<PageRange> map(uint32_t, uint64_t, uint64_t, bool) { return fail(ENODEV); }
  // A host's fifo (O_PATH; the caller's) that stands for the server's file `id` in all processes of the environment.
  // ENODEV: the other end has none.
  virtual Result<int> fifo(uint64_t) { return fail(ENODEV); }
  // As Server::watch(); the path is one that leads somewhere.
  virtual Result<std::string> watch(std::string_view) { return fail(EOPNOTSUPP); }
  // As File::lock() of an open file, and what follows it. Granted: nobody else can have any.
  virtual Result<LockAnswer> lock(uint32_t, LockKind, const LockRange&) { return LockAnswer{}; }
  virtual void lock_settled() {}
  virtual void lock_released() {}
  // Counts what others changed through the same session: what was read ahead before is stale.
  [[nodiscard]] virtual uint64_t outside_changes() const { return 0; }

  Result<Answer> exchange(const std::vector<Message>& messages, uint16_t flags = 0) {
    OSP_ASSIGN(const uint64_t tag, submit(messages, flags));
    return wait(tag);
  }
};

}  // namespace osp::pip
