#pragma once

#include <time.h>

#include <cstdint>

#include "libosp/linux/call.h"

namespace osp::linux {

timespec to_timespec(int64_t ns);
int64_t to_ns(const timespec& t);

// When a timeout of the program's (relative, or absolute on `clock`) is over: the host's CLOCK_MONOTONIC in
// ns, never 0.
uint64_t host_deadline(const Call& call, int clock, const timespec& when, bool absolute);

}  // namespace osp::linux
