#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "kernel/cpu/frame.h"
#include "kernel/library/list.h"
#include "kernel/task/run_queue.h"
#include "kernel/task/timer.h"

namespace osp::kernel {

class Queue;
class Space;
class Task;

// Why a thread does not wait any more.
enum class Wake : uint32_t { running, waiting, woken, timeout, interrupted, ended };

// Why a thread must look around before it goes back to ring 3 (Thread::attention).
inline constexpr uint32_t attend_turn = 1, attend_event = 2, attend_end = 4, attend_bad_address = 8;

// Events that an upcall tells (Thread::pending).
inline constexpr uint32_t pending_tick = 1, pending_message = 2;

// What assembly uses of a thread.
struct ThreadHead {
  uint64_t stack_pointer = 0;
  uint64_t syscall_entry = 0;  // where its program's system calls go on; 0: nowhere
  std::atomic<uint32_t> attention = 0;
};
static_assert(offsetof(ThreadHead, stack_pointer) == OSP_THREAD_STACK_POINTER &&
              offsetof(ThreadHead, syscall_entry) == OSP_THREAD_SYSCALL_ENTRY &&
              offsetof(ThreadHead, attention) == OSP_THREAD_ATTENTION);

// The queue that a thread named last, with a reference, so that it is not looked up again: while Handles::generation()
// is the same.
struct NamedQueue {
  Queue* queue = nullptr;
  uint64_t generation = ~uint64_t{0};
  int handle = -1;
};

// A thread of ring 3, or a processor's idle thread (which has no task). It fills a page.
struct Thread : ThreadHead, Link<RunQueue>, Link<Task> {
  std::atomic<Wake> wait = Wake::running;
  std::atomic<bool> on_processor = false;  // its registers are not all saved
  bool dead = false;
  uint32_t number = 0;
  uint32_t processor = 0;  // where it runs or ran last
  Task* task = nullptr;
  Space* space = nullptr;  // holds a reference
  uint64_t stack_top = 0;

  uint64_t fs_base = 0, gs_base = 0;
  uint32_t vector_processor = ~uint32_t{0};  // where its vector state was loaded last

  // Upcalls: see libosp/host/native.h.
  uint64_t handler = 0, handler_stack = 0;
  std::atomic<bool> in_handler = false;
  std::atomic<uint32_t> pending = 0;
  Queue* notifier = nullptr;  // the queue of notify_set; holds a reference

  NamedQueue sends_to, receives_from;

  uint32_t* cleared_word = nullptr;  // of ring 3: becomes 0 at its end, and is woken
  uint64_t signal_mask = 0;
  uint64_t switches = 0;
  Timer deadline{*this, Timer::Kind::wait}, tick{*this, Timer::Kind::tick};

  alignas(64) unsigned char vector_state[2816] = {};

  // The registers of ring 3 while it is in the kernel.
  [[nodiscard]] TrapFrame& frame() const { return *reinterpret_cast<TrapFrame*>(stack_top - sizeof(TrapFrame)); }
  [[nodiscard]] bool takes_upcalls() const { return handler != 0 && !in_handler.load(); }
};
static_assert(sizeof(Thread) <= 4096);

// A thread of `task` in `space` that goes on with `frame`; it does not run yet. Null: no memory, or the task ends.
[[nodiscard]] Thread* make_thread(Task& task, Space& space, const TrapFrame& frame);

// A processor's idle thread. Panics when there is no memory.
[[nodiscard]] Thread& make_idle_thread(uint32_t processor);

// Lets a new thread run, on a processor that idles if there is one.
void start_thread(Thread& thread);

// The end of the current thread; with the last one the task ends (`status` if nobody has ended it before).
[[noreturn]] void end_current_thread(int status);

// What the next thread does for one that has ended and switched away.
[[gnu::noinline, gnu::cold]] void bury(Thread& thread);

}  // namespace osp::kernel
