#pragma once

#include <map>

#include "libosp/native/uart_client.h"
#include "libosp/task/wait_queue.h"
#include "pip/channel.h"

namespace osp::native {

// What a pip::Client sends its groups to a driver through, beside the core's own use of the connection. A fiber that
// waits is parked, and no signal cuts that short, as with files on Linux. Worker only.
class UartChannel final : public pip::Channel {
 public:
  // The client is the caller's, and stays.
  explicit UartChannel(UartClient& client) : client_(client) {}

  Result<uint64_t> submit(const std::vector<pip::Message>& messages, uint16_t flags) override;
  Result<pip::Answer> wait(uint64_t tag) override;
  void forget(uint64_t tag) override;
  [[nodiscard]] uint32_t iounit() const override { return UartClient::most_data; }

 private:
  // So many slots of the client are left to the console.
  static constexpr size_t most_unanswered = UartClient::slot_count - 8;

  struct Asked {
    void take(Result<pip::Answer> result);
    bool done = false;
    int error = 0;
    pip::Answer answer;
  };

  Result<void> await_change();

  UartClient& client_;
  task::WaitQueue changed_;
  uint64_t last_tag_ = 0;
  size_t unanswered_ = 0;
  std::map<uint64_t, Asked> asked_;  // what somebody will wait for
};

}  // namespace osp::native
