#pragma once

#include <cstdint>

namespace osp::kernel {

// What the real-time clock (MC146818) says: seconds since 1970; 0 where there is none.
[[nodiscard]] int64_t read_realtime_seconds();

}  // namespace osp::kernel
