#pragma once

#include <array>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "libosp/host/native.h"
#include "pip/session_client.h"

namespace osp::native {

// A πp client of a driver task, over messages and a shared segment (pip/task_layout.h). It does not wait: who asks is
// called back from take_answers(). Worker only, not signal-safe.
class UartClient {
 public:
  static constexpr uint32_t most_data = 8 * 1024;  // of one Tread or Twrite
  static constexpr size_t slot_count = 12;         // groups that may be unanswered

  // The replies of a group; the last may be an Rerror. EPROTO: the driver answered nonsense.
  using Answered = std::function<void(Result<pip::Answer> answer)>;

  // Makes the connection. `service` is the driver's queue. Waits for the driver, some seconds at most: ETIMEDOUT.
  // ENOMEM, EMFILE; EPIPE: the driver has ended.
  static Result<std::unique_ptr<UartClient>> connect(uint32_t service);
  ~UartClient();
  UartClient(const UartClient&) = delete;
  UartClient& operator=(const UartClient&) = delete;

  // Sends a group. The views in `messages` are needed no longer. EAGAIN: too many are unanswered; EMSGSIZE; EPIPE: the
  // driver has ended.
  Result<void> submit(const std::vector<pip::Message>& messages, Answered answered);
  // The same, and waits until it has been answered, before there are fibers. ETIMEDOUT.
  Result<void> exchange(const std::vector<pip::Message>& messages);
  // Calls back for each answer that has come. False: the driver has ended; what was not answered is EPIPE.
  [[nodiscard]] bool take_answers();
  // Waits for one, where no fiber can be parked, and calls back. ETIMEDOUT.
  Result<void> await_answer();
  // Where answers come.
  [[nodiscard]] uint32_t queue() const { return queue_; }

 private:
  UartClient() = default;
  Result<void> begin(uint32_t service);
  Result<void> map_segment();
  Result<native::Message> receive(uint64_t deadline_ns) const;
  void take(const native::Message& message);

  uint32_t service_ = no_handle, queue_ = no_handle, segment_ = no_handle;
  std::byte* memory_ = nullptr;
  uint64_t last_tag_ = 0;
  std::array<Answered, slot_count> slots_;
};

}  // namespace osp::native
