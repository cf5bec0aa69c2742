#include "kernel/device/interrupts.h"

#include <cerrno>

#include "kernel/cpu/apic.h"
#include "kernel/cpu/processor.h"
#include "kernel/cpu/registers.h"
#include "kernel/ipc/semaphore.h"
#include "kernel/memory/pages.h"

namespace osp::kernel {
namespace {

constexpr uint32_t first_table_entry = 0x10, masked = 1 << 16, level = 1 << 15;
constexpr uint32_t isa_lines = 16;
constexpr uint32_t lines_of_tasks =
    0xffff'fff8 & ~(1u << 8);  // not the PIT's, the keyboard's, the cascade's, the clock's

// A line, and who is told. An edge that comes while it is held is not lost.
struct Line {
  Spinlock lock;
  Task* task = nullptr;
  Semaphore* semaphore = nullptr;  // holds a reference
  bool held = false, again = false;
};

constinit Line lines[line_count] = {};

void write_io_apic(uint32_t index, uint32_t value) {
  auto* base = static_cast<volatile uint32_t*>(physical_pointer(io_apic_address));
  base[0] = index;
  base[4] = value;
}

constinit Spinlock io_apic_lock;

void set_line(uint32_t line, bool open) {
  Locked guard(io_apic_lock);
  const uint32_t trigger = line < isa_lines ? 0 : level;
  write_io_apic(first_table_entry + 2 * line + 1, processor(0).apic_id << 24);
  write_io_apic(first_table_entry + 2 * line, (vector_lines + line) | trigger | (open ? 0 : masked));
}

void mask_old_controllers() {
  constexpr uint16_t first = 0x20, second = 0xa0;
  for (const uint16_t port : {first, second}) {
    cpu::out8(port, 0x11);  // ICW1
    cpu::out8(port + 1, port == first ? 0x20 : 0x28);
    cpu::out8(port + 1, port == first ? 4 : 2);
    cpu::out8(port + 1, 1);
    cpu::out8(port + 1, 0xff);
  }
}

}  // namespace

void start_interrupts() {
  mask_old_controllers();
  for (uint32_t line = 0; line < line_count; ++line) set_line(line, false);
}

long attach_interrupt(Task& task, uint32_t number, Semaphore* semaphore) {
  Held<Semaphore> held(semaphore);
  if (number >= line_count || (lines_of_tasks >> number & 1) == 0) return -EPERM;
  Line& line = lines[number];
  Locked guard(line.lock);
  if (line.task != nullptr) return -EBUSY;
  line.task = &task;
  line.semaphore = held.release();
  line.held = line.again = false;
  set_line(number, true);
  return 0;
}

long finish_interrupt(Task& task, uint32_t number) {
  if (number >= line_count) return -EPERM;
  Line& line = lines[number];
  Locked guard(line.lock);
  if (line.task != &task) return -EPERM;
  line.held = line.again;
  if (line.again) line.semaphore->up();
  line.again = false;
  if (number >= isa_lines) set_line(number, true);
  return 0;
}

void forget_interrupts(Task& task) {
  for (uint32_t number = 0; number < line_count; ++number) {
    Line& line = lines[number];
    Held<Semaphore> gone;
    Locked guard(line.lock);
    if (line.task != &task) continue;
    set_line(number, false);
    gone.take(line.semaphore);
    line.task = nullptr;
    line.semaphore = nullptr;
  }
}

void handle_line(uint32_t number) {
  Line& line = lines[number];
  Locked guard(line.lock);
  if (line.semaphore == nullptr) return;
  if (number >= isa_lines) set_line(number, false);  // until interrupt_done
  if (line.held)
    line.again = true;
  else
    line.held = true, line.semaphore->up();
}

}  // namespace osp::kernel
