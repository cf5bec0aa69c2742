#pragma once

#include <time.h>

// The clocks, read from the kernel's time page without a call.
namespace osp::native {

// clock_gettime(2) of the clocks that go on by themselves, and of the real time; -1 for others. General registers only,
// no TLS: for host::kernel_clock().
long read_time_page(long clock, timespec* now);

}  // namespace osp::native
