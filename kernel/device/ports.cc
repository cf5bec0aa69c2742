#include "kernel/device/ports.h"

namespace osp::kernel {
namespace {

struct Range {
  uint16_t start, count;
};
// The serial ports, and a debug console of QEMU's (0xeb) that takes the core's trace.
constexpr Range free_ports[] = {{0xeb, 1}, {0x2e8, 8}, {0x2f8, 8}, {0x3e8, 8}, {0x3f8, 8}};

}  // namespace

bool ports_are_free(uint64_t port, uint64_t width) {
  for (const Range& range : free_ports)
    if (port >= range.start && width <= range.count && port - range.start <= range.count - width) return true;
  return false;
}

}  // namespace osp::kernel
