#pragma once

#include <cstdint>

namespace osp::kernel {

// Whether tasks may use the I/O ports [port, port + width): the serial ports only. All others could reach the memory or
// the kernel's own devices.
[[nodiscard]] bool ports_are_free(uint64_t port, uint64_t width);

}  // namespace osp::kernel
