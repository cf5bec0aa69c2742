#include "libosp/native/clock.h"

#include "libosp/host/native.h"

namespace osp::native {
namespace {

constexpr int64_t second_ns = 1'000'000'000;

uint64_t tsc() {
  uint32_t low = 0, high = 0;
  asm volatile("rdtsc" : "=a"(low), "=d"(high));
  return low | static_cast<uint64_t>(high) << 32;
}

bool is_real(long clock) { return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI; }

bool goes_on(long clock) {
  return clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_MONOTONIC_COARSE ||
         clock == CLOCK_BOOTTIME;
}

}  // namespace

long read_time_page(long clock, timespec* now) {
  if (!is_real(clock) && !goes_on(clock)) return -1;
  const auto& page = *reinterpret_cast<const TimePage*>(window::time_page);
  int64_t ns = 0;
  for (;;) {
    const uint32_t before = page.sequence;
    asm volatile("" : : : "memory");
    const auto passed = static_cast<unsigned __int128>(tsc() - page.base_tsc) * page.multiplier >> page.shift;
    ns = page.base_ns + static_cast<int64_t>(passed) + (is_real(clock) ? page.realtime_ns : 0);
    asm volatile("" : : : "memory");
    if (before % 2 == 0 && before == page.sequence) break;
  }
  now->tv_sec = ns / second_ns;
  now->tv_nsec = ns % second_ns;
  return 0;
}

}  // namespace osp::native
