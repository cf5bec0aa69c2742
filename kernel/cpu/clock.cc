#include "kernel/cpu/clock.h"

#include <new>

#include "kernel/cpu/apic.h"
#include "kernel/cpu/panic.h"
#include "kernel/cpu/registers.h"
#include "kernel/device/cmos.h"
#include "kernel/memory/pages.h"
#include "libosp/host/native.h"

namespace osp::kernel {
namespace {

constexpr uint64_t pit_hz = 1'193'182, second_ns = 1'000'000'000;
constexpr uint16_t pit_counter = 0x40, pit_command = 0x43;
constexpr uint8_t pit_rate_generator = 0x34, pit_latch = 0;
constexpr int tries = 8;
constexpr uint32_t run_ticks = 3600;  // of the PIT: 3 ms
constexpr uint32_t shift = 32;

struct Rates {
  uint64_t tsc_hz, apic_hz;
};

struct Sample {
  uint64_t tsc;
  uint32_t pit, apic;
};

uint32_t read_pit() {
  const uint32_t low = cpu::in8(pit_counter);
  return low | uint32_t{cpu::in8(pit_counter)} << 8;
}

// The three counters at one moment. The emulator may be stopped between the reads, or slow: so the best of some tries,
// and the middle of the time that it took.
Sample sample() {
  Sample best = {};
  uint64_t width = ~uint64_t{0};
  for (int i = 0; i < tries; ++i) {
    const uint64_t before = cpu::read_tsc();
    cpu::out8(pit_command, pit_latch);
    const uint64_t after = cpu::read_tsc();
    const uint32_t apic = apic_timer_left();
    const uint32_t pit = read_pit();
    if (after - before < width) width = after - before, best = {before + width / 2, pit, apic};
  }
  return best;
}

Rates measure() {
  cpu::out8(pit_command, pit_rate_generator);
  cpu::out8(pit_counter, 0xff);
  cpu::out8(pit_counter, 0xff);
  set_apic_timer(~uint32_t{0});
  const Sample start = sample();
  Sample end = start;
  while (start.pit - end.pit < run_ticks || end.pit > start.pit) end = sample();
  set_apic_timer(0);
  const uint64_t ticks = start.pit - end.pit;
  const Rates rates = {(end.tsc - start.tsc) * pit_hz / ticks, (start.apic - end.apic) * pit_hz / ticks};
  if (rates.tsc_hz == 0 || rates.apic_hz == 0) panic("the clocks do not run");
  return rates;
}

constinit native::TimePage* times = nullptr;
constinit uint64_t apic_multiplier = 0;  // APIC ticks a nanosecond, times 2^32

uint64_t scale(uint64_t value, uint64_t multiplier) {
  return static_cast<uint64_t>(static_cast<unsigned __int128>(value) * multiplier >> shift);
}

}  // namespace

void start_clock() {
  const Rates rates = measure();
  const uint64_t page = allocate_clear_page();
  times = new (physical_pointer(page)) native::TimePage;
  times->shift = shift;
  times->multiplier = (second_ns << shift) / rates.tsc_hz;
  times->base_tsc = cpu::read_tsc();
  times->base_ns = 1'000'000;  // 0 and 1 mean something else as deadlines
  times->realtime_ns = read_realtime_seconds() * static_cast<int64_t>(second_ns) - times->base_ns;
  apic_multiplier = ((rates.apic_hz & UINT32_MAX) << shift) / second_ns;
}

int64_t monotonic_ns() {
  return times->base_ns + static_cast<int64_t>(scale(cpu::read_tsc() - times->base_tsc, times->multiplier));
}

int64_t realtime_offset_ns() { return times->realtime_ns; }
uint64_t time_page() { return physical_address(times); }

void set_timer_interrupt(int64_t deadline_ns) {
  constexpr int64_t farthest_ns = 1'000'000'000;
  int64_t left = deadline_ns - monotonic_ns();
  if (left > farthest_ns) left = farthest_ns;
  const uint64_t ticks = left <= 0 ? 0 : scale(static_cast<uint64_t>(left), apic_multiplier);
  set_apic_timer(ticks >= ~uint32_t{0} ? ~uint32_t{0} : static_cast<uint32_t>(ticks) + 1);
}

}  // namespace osp::kernel
