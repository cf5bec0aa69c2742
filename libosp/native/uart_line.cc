#include "libosp/native/uart_line.h"

#include <array>

#include "base/log.h"

namespace osp::native {
namespace {

constexpr int most_writes = 2;  // so that the port has the next when one has gone out

// Null: the group failed, or the driver is no more.
template <class R>
const R* only_reply(const Result<pip::Answer>& answer) {
  return answer && answer->replies.size() == 1 ? std::get_if<R>(&answer->replies.front()) : nullptr;
}

}  // namespace

void UartLine::ask() {
  if (reading_ || broken_) return;
  const pip::Tread read{.fid = fid_, .offset = 0, .count = UartClient::most_data, .attrs = {}};
  const auto asked = client_.submit({read}, [this](const auto& answer) { take(answer); });
  reading_ = asked.has_value();
  if (!asked) log::error("uart", "cannot read: {}", describe(asked.error()));
}

void UartLine::take(const Result<pip::Answer>& answer) {
  reading_ = false;
  const auto* read = only_reply<pip::Rread>(answer);
  if (read == nullptr) {
    broken_ = true;
    return log::error("uart", "the serial port cannot be read any more");
  }
  kept_ = read->dat;
  go_on_reading();
}

void UartLine::offer() {
  size_t taken = 0;
  while (taken < kept_.size()) {
    const size_t more = user_.receive(std::as_bytes(std::span(kept_).subspan(taken)));
    if (more == 0) break;
    taken += more;
  }
  kept_.erase(0, taken);
}

// What the user does with the bytes may lead here again.
void UartLine::go_on_reading() {
  if (offering_) return;
  offering_ = true;
  offer();
  offering_ = false;
  if (kept_.empty()) ask();
}

void UartLine::go_on_sending() {
  std::array<std::byte, UartClient::most_data> bytes;
  while (unsent_ < most_writes && !broken_) {
    const size_t size = user_.supply(bytes);
    if (size == 0) return;
    const pip::Twrite write{
        .fid = fid_, .offset = 0, .dat = {reinterpret_cast<const char*>(bytes.data()), size}, .attr = {}};
    ++unsent_;
    const auto asked = client_.submit({write}, [this](const auto& answer) {
      --unsent_;
      if (only_reply<pip::Rwrite>(answer) == nullptr) broken_ = true;
      user_.sent();
      go_on_sending();
    });
    if (asked) continue;
    --unsent_;
    log::error("uart", "{} bytes are lost: {}", size, describe(asked.error()));
  }
}

Result<void> UartLine::await_empty(bool& done) {
  return client_.submit({pip::Tcommit{.fid = fid_}}, [&done](const auto&) { done = true; });
}

}  // namespace osp::native
