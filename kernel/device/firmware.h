#pragma once

#include <cstdint>

namespace osp::kernel {

// How many processors QEMU's firmware interface (fw_cfg) says there are; 1 where there is none.
[[nodiscard]] uint32_t firmware_processor_count();

}  // namespace osp::kernel
