#pragma once

#include <cstdint>

// The local APIC (Intel SDM 3A 10), by memory: QEMU's emulation has no x2APIC.
namespace osp::kernel {

inline constexpr uint64_t local_apic_address = 0xfee0'0000, io_apic_address = 0xfec0'0000;

// Interrupt vectors. The lines of the I/O APIC follow on `vector_lines`.
inline constexpr uint8_t vector_lines = 0x30, vector_timer = 0xf0, vector_wake = 0xf1, vector_flush = 0xf2,
                         vector_spurious = 0xff;
inline constexpr uint8_t line_count = 24;

void start_local_apic();
void end_interrupt();

// An interrupt for another processor.
void send_interrupt(uint32_t apic_id, uint8_t vector);

// INIT and twice STARTUP to all others, which begin in real mode at `page` (below 1 MiB).
void start_other_processors(uint64_t page);

// The timer: interrupts once after so many of its ticks, 0: not at all; what is left of them.
void set_apic_timer(uint32_t ticks);
[[nodiscard]] uint32_t apic_timer_left();

}  // namespace osp::kernel
