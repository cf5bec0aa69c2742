#pragma once

#include <cstdint>

// Time, by the time stamp counter. Nanoseconds; monotonic time begins at the machine's start.
namespace osp::kernel {

inline constexpr int64_t for_ever = INT64_MAX;

// Measures the counters against the PIT (about 3 ms), reads the real-time clock, and fills the time page.
void start_clock();

[[nodiscard]] int64_t monotonic_ns();
[[nodiscard]] int64_t realtime_offset_ns();

// The physical page that tasks read (native::TimePage).
[[nodiscard]] uint64_t time_page();

// The current processor's timer interrupt at `deadline_ns`, or as late as the timer can.
void set_timer_interrupt(int64_t deadline_ns);

}  // namespace osp::kernel
