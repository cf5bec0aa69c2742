#include "kernel/memory/shootdown.h"

#include "kernel/cpu/apic.h"
#include "kernel/cpu/processor.h"
#include "kernel/cpu/registers.h"
#include "kernel/memory/space.h"
#include "kernel/task/schedule.h"

namespace osp::kernel {
namespace {

bool asked(uint64_t processors, uint32_t index) { return (processors >> index & 1) != 0; }

// A processor that idles answers before it runs a thread again. It says that it does not idle, then it looks whether it
// was asked; here it is the other way round, so one of both sees the other.
bool needs_no_answer(const Processor& other, bool idle_too) { return !idle_too && other.idles.load(); }

void ask(uint64_t processors, bool idle_too) {
  processors &= ~(uint64_t{1} << here().index);
  if (processors == 0) return;
  uint64_t tickets[max_processors];
  const uint32_t count = processor_count();
  for (uint32_t i = 0; i < count; ++i) {
    if (!asked(processors, i)) continue;
    tickets[i] = processor(i).flush_asked.fetch_add(1) + 1;
    if (needs_no_answer(processor(i), idle_too))
      tickets[i] = 0;
    else
      send_interrupt(processor(i).apic_id, vector_flush);
  }
  for (uint32_t i = 0; i < count; ++i)
    while (asked(processors, i) && processor(i).flush_done.load(std::memory_order_acquire) < tickets[i]) {
      answer_shootdown();
      cpu::pause();
    }
}

}  // namespace

void shoot_down(uint64_t processors) { ask(processors, false); }
void shoot_down_at_once(uint64_t processors) { ask(processors, true); }

void answer_shootdown() {
  Processor& mine = here();
  const uint64_t ticket = mine.flush_asked.load(std::memory_order_acquire);
  if (ticket == mine.flush_done.load(std::memory_order_relaxed)) return;
  if (mine.loaded != nullptr && mine.loaded->dying())
    leave_space(*mine.loaded);
  else
    cpu::write_cr3(cpu::read_cr3());
  mine.flush_done.store(ticket, std::memory_order_release);
}

}  // namespace osp::kernel
