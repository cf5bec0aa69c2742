#pragma once

#include <string>
#include <string_view>

#include "libosp/native/control_line_order.h"
#include "libosp/native/uart_line.h"

namespace osp::native {

// The second port: orders come, and lines go.
class ControlLine final : public UartLine::User {
 public:
  class Orders {
   public:
    virtual ~Orders() = default;
    virtual void take(const Order& order) = 0;
  };

  // `fid` is the port's. All are the caller's.
  ControlLine(UartClient& client, uint32_t fid, Orders& orders) : line_(client, fid, *this), orders_(orders) {}

  void begin() { line_.go_on_reading(); }
  // `word` is one line, without its end.
  void say(std::string_view word);

  size_t receive(std::span<const std::byte> bytes) override;
  size_t supply(std::span<std::byte> to) override;

 private:
  static constexpr size_t longest = 200;  // of a line; what is longer is no order

  UartLine line_;
  Orders& orders_;
  std::string received_, to_say_;
};

}  // namespace osp::native
