#include "kernel/device/console.h"

#include "kernel/cpu/registers.h"
#include "kernel/library/lock.h"

namespace osp::kernel {
namespace {

constexpr uint16_t console_port = 0xe9;

constinit Spinlock console_lock;
constinit std::atomic<bool> taken = false;

}  // namespace

void write_console(const char* data, size_t size) {
  const bool locked = !taken.load(std::memory_order_relaxed);
  if (locked) console_lock.lock();
  cpu::out_string(console_port, data, size);
  if (locked) console_lock.unlock();
}

void take_console_for_good() { taken.store(true); }

}  // namespace osp::kernel
