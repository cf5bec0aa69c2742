#include "libosp/native/control_line.h"

#include <algorithm>
#include <cstring>

#include "base/log.h"

namespace osp::native {
void ControlLine::say(std::string_view word) {
  (to_say_ += word) += '\n';
  line_.go_on_sending();
}

size_t ControlLine::receive(std::span<const std::byte> bytes) {
  for (const std::byte byte : bytes) {
    if (byte != std::byte{'\n'}) {
      if (received_.size() <= longest) received_ += static_cast<char>(byte);
      continue;
    }
    const auto order = parse_order(received_);
    if (order)
      orders_.take(*order);
    else
      log::warn("uart", "an order that is none: {}", received_);
    received_.clear();
  }
  return bytes.size();
}

size_t ControlLine::supply(std::span<std::byte> to) {
  const size_t size = std::min(to.size(), to_say_.size());
  std::memcpy(to.data(), to_say_.data(), size);
  to_say_.erase(0, size);
  return size;
}

}  // namespace osp::native
