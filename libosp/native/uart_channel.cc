#include "libosp/native/uart_channel.h"

#include "libosp/task/process.h"

namespace osp::native {

void UartChannel::Asked::take(Result<pip::Answer> result) {
  done = true;
  if (result)
    answer = std::move(*result);
  else
    error = result.error().code;
}

// Before there are fibers, and in a process whose last thread has gone (its files are closed then), the driver alone is
// waited for.
Result<void> UartChannel::await_change() {
  task::Thread* const thread = task::scheduler().current();
  if (thread == nullptr || task::process().threads.empty()) return client_.await_answer();
  task::WaitQueue* const queue[] = {&changed_};
  task::wait_on(*thread, queue, 0, false);
  return {};
}

Result<uint64_t> UartChannel::submit(const std::vector<pip::Message>& messages, uint16_t) {
  while (unanswered_ >= most_unanswered) OSP_TRY(await_change());
  const uint64_t tag = ++last_tag_;
  OSP_TRY(client_.submit(messages, [this, tag](Result<pip::Answer> answer) {
    --unanswered_;
    if (const auto asked = asked_.find(tag); asked != asked_.end()) asked->second.take(std::move(answer));
    changed_.notify();
  }));
  ++unanswered_;
  asked_[tag];
  return tag;
}

Result<pip::Answer> UartChannel::wait(uint64_t tag) {
  const auto asked = asked_.find(tag);
  if (asked == asked_.end()) return fail(EINVAL);
  while (!asked->second.done) OSP_TRY(await_change());
  const auto node = asked_.extract(asked);
  if (node.mapped().error != 0) return fail(node.mapped().error);
  return std::move(node.mapped().answer);
}

void UartChannel::forget(uint64_t tag) { asked_.erase(tag); }

}  // namespace osp::native
