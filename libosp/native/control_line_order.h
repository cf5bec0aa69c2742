#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

namespace osp::native {

// What osp-boot says on the second serial port (boot_record.h).
namespace order {
struct End {
  uint64_t count;  // bytes of the first port
};
struct Signal {
  int number;
};
struct Resize {
  uint16_t rows, columns;
};
struct Closed {};
struct Tasks {};
}  // namespace order
using Order = std::variant<order::End, order::Signal, order::Resize, order::Closed, order::Tasks>;

// Nothing: it is no order, or a number in it cannot be.
std::optional<Order> parse_order(std::string_view line);

}  // namespace osp::native
