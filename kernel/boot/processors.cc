#include "kernel/boot/processors.h"

#include <atomic>

#include "kernel/cpu/apic.h"
#include "kernel/cpu/panic.h"
#include "kernel/cpu/processor.h"
#include "kernel/cpu/registers.h"
#include "kernel/cpu/switch.h"
#include "kernel/device/console.h"
#include "kernel/device/firmware.h"
#include "kernel/library/bytes.h"
#include "kernel/memory/kernel_space.h"
#include "kernel/memory/pages.h"
#include "kernel/task/schedule.h"

extern "C" {
extern const char osp_trampoline_start[], osp_trampoline_end[];
[[noreturn]] void osp_processor_main();
// For kernel/boot/entry.S: the processor that finds 1 and takes it starts next, on that stack.
std::atomic<uint32_t> osp_place_offered = 0;
uint64_t osp_next_stack = 0;
}

namespace osp::kernel {
namespace {

constexpr uint64_t trampoline_page = 0x8000;  // below 1 MiB
constexpr int64_t patience_ns = 2'000'000'000;

constinit std::atomic<Processor*> starting = nullptr;

// Offers a stack to the processors that wait at the trampoline, and waits until one of them idles.
bool start_next() {
  Processor* next = make_processor();
  const uint64_t stack = next == nullptr ? 0 : make_kernel_stack();
  if (stack == 0) return false;
  next->idle = &make_idle_thread(next->index);
  next->current = next->previous = next->idle;
  const uint32_t before = processor_count();
  starting.store(next);
  osp_next_stack = stack;
  osp_place_offered.store(1);
  const int64_t deadline_ns = monotonic_ns() + patience_ns;
  while (processor_count() == before) {
    if (monotonic_ns() > deadline_ns) return false;
    cpu::pause();
  }
  return true;
}

}  // namespace

void start_processors() {
  const uint32_t offered = firmware_processor_count();
  const uint32_t wanted = offered < max_processors ? offered : max_processors;
  if (wanted <= 1) return;
  memcpy(physical_pointer(trampoline_page), osp_trampoline_start,
         static_cast<size_t>(osp_trampoline_end - osp_trampoline_start));
  start_other_processors(trampoline_page);
  while (processor_count() < wanted)
    if (!start_next()) return log("only ", processor_count(), " of ", wanted, " processors start");
}

}  // namespace osp::kernel

void osp_processor_main() {
  using namespace osp::kernel;
  Processor& mine = *starting.load();
  start_local_apic();
  start_processor(mine);
  uint64_t unused = 0;
  switch_stacks(&unused, mine.idle->stack_pointer);
  panic("a processor's first stack is used again");
}
