#include "kernel/task/schedule.h"

#include "kernel/cpu/apic.h"
#include "kernel/cpu/processor.h"
#include "kernel/cpu/registers.h"
#include "kernel/cpu/switch.h"
#include "kernel/cpu/vector_state.h"
#include "kernel/memory/kernel_space.h"
#include "kernel/memory/shootdown.h"
#include "kernel/memory/space.h"

extern "C" {
void osp_finish_switch();
[[noreturn]] void osp_idle();
}

namespace osp::kernel {
namespace {

constexpr int64_t turn_ns = 2'000'000;

[[gnu::noinline, gnu::cold]] void begin_new_slice(Processor& processor) {
  processor.has_slice.store(true, std::memory_order_relaxed);
  processor.slice_end_ns = monotonic_ns() + turn_ns;
  arm_timer(processor.slice_end_ns);
}

// Somebody waits for the current thread's processor: its turn ends in a while.
void begin_slice(Processor& processor) {
  if (!processor.has_slice.load(std::memory_order_relaxed)) begin_new_slice(processor);
}

bool has_work(const Processor& processor) { return processor.handed != nullptr || !processor.queue.empty(); }

// What was woken last comes first: it is the one that the others wait for, mostly. At the end of a turn it goes behind
// the others (retire), so it keeps nobody waiting.
Thread* take_next(Processor& processor) {
  Thread* next = processor.handed;
  processor.handed = nullptr;
  return next != nullptr ? next : processor.queue.take();
}

void retire(Processor& processor) {
  if (processor.handed != nullptr) processor.queue.add(*processor.handed);
  processor.handed = nullptr;
}

[[gnu::noinline, gnu::cold]] void hand_over(Processor& its, Thread& thread) {
  its.queue.add(thread);
  if (&its != &here() && (its.idles.load() || !its.has_slice.load())) send_interrupt(its.apic_id, vector_wake);
}

void wake_idle_processor() {
  for (uint32_t i = 0; i < processor_count(); ++i) {
    Processor& other = processor(i);
    if (&other != &here() && other.idles.load(std::memory_order_relaxed))
      return send_interrupt(other.apic_id, vector_wake);
  }
}

Thread* steal_from_others(const Processor& thief) {
  const uint32_t count = processor_count();
  for (uint32_t i = 1; i < count; ++i) {
    Processor& victim = processor((thief.index + i) % count);
    if (Thread* thread = victim.queue.empty() ? nullptr : victim.queue.steal()) return thread;
  }
  return nullptr;
}

void load_space(Processor& processor, Space& space) {
  if (processor.loaded == &space) return;
  Space* old = processor.loaded;
  processor.loaded = &space;
  space.arrive(processor.index, old);
  cpu::write_cr3(space.root_address());
  if (old != nullptr) old->depart(processor.index, &space);
}

void save_program_state(Thread& thread) {
  thread.fs_base = cpu::read_fs_base();
  thread.gs_base = cpu::read_user_gs_base();
  save_vector_state(thread);
}

void load_program_state(Processor& processor, Thread& thread) {
  load_space(processor, *thread.space);
  cpu::write_fs_base(thread.fs_base);
  cpu::write_user_gs_base(thread.gs_base);
  if (processor.vector_owner == &thread && thread.vector_processor == processor.index) return;
  load_vector_state(thread);
  processor.vector_owner = &thread;
  thread.vector_processor = processor.index;
}

void switch_to(Processor& processor, Thread& next) {
  Thread& previous = *processor.current;
  if (previous.task != nullptr && !previous.dead) save_program_state(previous);
  next.processor = processor.index;
  next.on_processor.store(true, std::memory_order_relaxed);
  ++next.switches;
  processor.previous = &previous;
  processor.current = &next;
  processor.kernel_stack = next.stack_top;
  processor.descriptors.state.stacks[0] = next.stack_top;
  if (next.task != nullptr) load_program_state(processor, next);
  switch_stacks(&previous.stack_pointer, next.stack_pointer);
  osp_finish_switch();
}

}  // namespace

void make_ready(Thread& thread) {
  Processor& mine = here();
  if (thread.processor != mine.index) return hand_over(processor(thread.processor), thread);
  if (mine.current != mine.idle) begin_slice(mine);
  if (mine.handed != nullptr) return hand_over(mine, thread);
  mine.handed = &thread;
}

void switch_away() {
  Processor& mine = here();
  Thread* next = take_next(mine);
  if (next == nullptr && processor_count() > 1) next = steal_from_others(mine);
  if (next == nullptr) next = mine.idle;
  if (next != mine.current) switch_to(mine, *next);
}

void yield_turn() {
  Processor& mine = here();
  if (!has_work(mine)) return;
  retire(mine);
  mine.queue.add(*mine.current);
  switch_away();
}

void end_turn() {
  Processor& mine = here();
  if (!has_work(mine) || mine.current == mine.idle) return;
  retire(mine);
  mine.current->attention.fetch_or(attend_turn, std::memory_order_relaxed);
  begin_slice(mine);
  wake_idle_processor();
}

void see_new_work() {
  Processor& mine = here();
  if (has_work(mine) && mine.current != mine.idle) begin_slice(mine);
}

void enter_space(Space& space) {
  Space* old = current().space;
  current().space = &space;
  load_space(here(), space);
  old->drop();
}

void leave_space(Space& space) {
  Processor& mine = here();
  if (mine.loaded != &space) return;
  mine.loaded = nullptr;
  cpu::write_cr3(kernel_root());
  space.depart(mine.index, nullptr);
}

}  // namespace osp::kernel

void osp_finish_switch() {
  using namespace osp::kernel;
  Thread& previous = *here().previous;
  const bool dead = previous.dead;
  previous.on_processor.store(false, std::memory_order_release);
  if (dead) bury(previous);
}

void osp_idle() {
  using namespace osp::kernel;
  Processor& mine = here();
  for (;;) {
    mine.idles.store(true);
    if (Thread* next = has_work(mine) ? take_next(mine) : steal_from_others(mine)) {
      mine.idles.store(false);
      answer_shootdown();
      switch_to(mine, *next);
    } else {
      cpu::halt_until_interrupt();
    }
  }
}
