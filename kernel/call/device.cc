#include <cerrno>

#include "kernel/call/calls.h"
#include "kernel/cpu/processor.h"
#include "kernel/cpu/registers.h"
#include "kernel/cpu/user_copy.h"
#include "kernel/device/interrupts.h"
#include "kernel/device/ports.h"
#include "kernel/ipc/semaphore.h"
#include "kernel/library/bytes.h"
#include "kernel/memory/pages.h"
#include "kernel/task/task.h"

namespace osp::kernel::call {
namespace {

bool is_width(uint64_t width) { return width == 1 || width == 2 || width == 4; }

}  // namespace

long interrupt_attach(uint32_t line, int handle) {
  Task& task = *current().task;
  Held<Semaphore> semaphore = task.handles().find<Semaphore>(handle);
  return semaphore ? attach_interrupt(task, line, semaphore.release()) : -EBADF;
}

long interrupt_done(uint32_t line) { return finish_interrupt(*current().task, line); }

long port_in(uint64_t port, uint64_t width) {
  if (!is_width(width)) return -EINVAL;
  if (!ports_are_free(port, width)) return -EPERM;
  const auto number = static_cast<uint16_t>(port);
  return width == 1 ? cpu::in8(number) : width == 2 ? cpu::in16(number) : long{cpu::in32(number)};
}

// What the device gave is lost where the memory cannot be written.
long port_in_string(uint64_t port, char* to, uint64_t size) {
  char buffer[256];
  if (!ports_are_free(port, 1)) return -EPERM;
  if (size > sizeof buffer) return -EINVAL;
  cpu::in_string(static_cast<uint16_t>(port), buffer, size);
  return copy_out(to, buffer, size);
}

long port_out(uint64_t port, uint64_t width, uint32_t value) {
  if (!is_width(width)) return -EINVAL;
  if (!ports_are_free(port, width)) return -EPERM;
  const auto number = static_cast<uint16_t>(port);
  if (width == 1)
    cpu::out8(number, static_cast<uint8_t>(value));
  else if (width == 2)
    cpu::out16(number, static_cast<uint16_t>(value));
  else
    cpu::out32(number, value);
  return 0;
}

long port_out_string(uint64_t port, const char* data, uint64_t size) {
  constexpr uint64_t most = 65536;
  if (!ports_are_free(port, 1)) return -EPERM;
  if (size > most) return -EINVAL;
  char buffer[256];
  for (uint64_t done = 0; done < size;) {
    const uint64_t part = size - done < sizeof buffer ? size - done : sizeof buffer;
    if (const long result = copy_in(buffer, data + done, part); result != 0) return result;
    cpu::out_string(static_cast<uint16_t>(port), buffer, part);
    done += part;
  }
  return 0;
}

// Page by page through a buffer of the kernel's, since locks are held while the lines are made.
long task_table(char* to, uint64_t size) {
  const uint64_t page = allocate_page();
  if (page == 0) return -ENOMEM;
  auto* buffer = static_cast<char*>(physical_pointer(page));
  long done = 0;
  for (uint32_t i = 0; i < task_count() && done >= 0; ++i) {
    Text text(buffer, page_size);
    task_at(i).describe(text);
    const uint64_t left = size - static_cast<uint64_t>(done);
    const uint64_t part = text.length() < left ? text.length() : left;
    const long result = copy_out(to + done, buffer, part);
    done = result != 0 ? result : done + static_cast<long>(part);
  }
  drop_page(page);
  return done;
}

}  // namespace osp::kernel::call
