#include "kernel/cpu/apic.h"

#include "kernel/cpu/registers.h"
#include "kernel/memory/pages.h"

namespace osp::kernel {
namespace {

constexpr uint32_t task_priority = 0x80, end_of_interrupt = 0xb0, spurious = 0xf0, command_low = 0x300,
                   command_high = 0x310, timer_entry = 0x320, timer_start = 0x380, timer_now = 0x390,
                   timer_divisor = 0x3e0, line_0 = 0x350, line_1 = 0x360;
constexpr uint32_t enabled = 0x100, masked = 0x1'0000, divide_by_1 = 0xb;
constexpr uint32_t init = 0x500, startup = 0x600, assert_level = 0x4000, all_others = 0xc'0000, pending = 0x1000;

volatile uint32_t& at(uint32_t offset) {
  return *static_cast<volatile uint32_t*>(physical_pointer(local_apic_address + offset));
}

void command(uint32_t high, uint32_t low) {
  while ((at(command_low) & pending) != 0) cpu::pause();
  at(command_high) = high;
  at(command_low) = low;
}

}  // namespace

void start_local_apic() {
  constexpr uint64_t global_enable = 0x800;
  cpu::write_msr(cpu::msr_apic_base, cpu::read_msr(cpu::msr_apic_base) | global_enable);
  at(task_priority) = 0;
  at(line_0) = masked;
  at(line_1) = masked;
  at(timer_divisor) = divide_by_1;
  at(timer_entry) = vector_timer;
  at(spurious) = enabled | vector_spurious;
}

void end_interrupt() { at(end_of_interrupt) = 0; }
void send_interrupt(uint32_t apic_id, uint8_t vector) { command(apic_id << 24, assert_level | vector); }

void start_other_processors(uint64_t page) {
  command(0, all_others | assert_level | init);
  for (int i = 0; i < 2; ++i) command(0, all_others | assert_level | startup | static_cast<uint32_t>(page >> 12));
}

void set_apic_timer(uint32_t ticks) { at(timer_start) = ticks; }
uint32_t apic_timer_left() { return at(timer_now); }

}  // namespace osp::kernel
