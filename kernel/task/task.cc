#include "kernel/task/task.h"

#include "kernel/cpu/processor.h"
#include "kernel/device/console.h"
#include "kernel/device/interrupts.h"
#include "kernel/device/power.h"
#include "kernel/library/pool.h"
#include "kernel/memory/space.h"
#include "kernel/task/wait.h"

namespace osp::kernel {
namespace {

constexpr uint32_t queue_capacity = 64;

constinit Pool<Task> tasks;
constinit Task* all[max_tasks] = {};
constinit uint32_t count = 0;
constinit std::atomic<uint32_t> last_number = 0;

const char* state_of(const Thread& thread) {
  if (thread.wait.load() != Wake::running) return "waits";
  return thread.on_processor.load() ? "runs" : "ready";
}

}  // namespace

uint32_t task_count() { return count; }
Task& task_at(uint32_t index) { return *all[index]; }
uint32_t next_thread_number() { return last_number.fetch_add(1) + 1; }

Task* Task::create(const char* name) {
  Task* task = count == max_tasks ? nullptr : tasks.make(name, next_thread_number());
  if (task == nullptr || !task->allocate()) return nullptr;
  return all[count++] = task;
}

bool Task::allocate() {
  window_root_ = allocate_clear_page();
  window_table_ = allocate_clear_page();
  queue_ = Queue::create(queue_capacity);
  if (window_root_ == 0 || window_table_ == 0 || queue_ == nullptr) return false;
  auto* root = static_cast<uint64_t*>(physical_pointer(window_root_));
  root[OSP_WINDOW_SLOT] = window_table_ | entry::table;
  window_.prepare(root, window_start, window_end, true);
  queue_->hold();
  return handles_.add(queue_) == 0;
}

bool Task::add_thread(Thread& thread) {
  Locked guard(lock_);
  if (ending_ || thread_count_ == max_threads) return false;
  threads_.push_back(thread);
  ++thread_count_;
  return true;
}

void Task::remove_thread(Thread& thread, int status) {
  bool last = false;
  {
    Locked guard(lock_);
    List<Thread, Task>::remove(thread);
    last = --thread_count_ == 0;
    if (last && !ending_) ending_ = true, status_ = status;
  }
  if (!last) return;
  if (is_core()) end_machine(status_);
  release();
}

void Task::release() {
  log("task ", name_, " ended with status ", status_);
  forget_interrupts(*this);
  queue_->close();
  handles_.close_all();
  window_.clear();
}

void Task::end(int status) {
  if (is_core()) end_machine(status);
  Locked guard(lock_);
  if (ending_) return;
  ending_ = true;
  status_ = status & 0xff;
  for (Thread* thread = threads_.first(); thread != nullptr; thread = threads_.after(*thread)) post_end(*thread);
}

void Task::describe(Text& text) {
  using Kind = Object::Kind;
  const Queue::Fill fill = queue_->fill();
  Locked guard(lock_);
  if (thread_count_ == 0) return;  // it has ended
  text << "task " << number_ << ' ' << name_ << ": " << thread_count_ << " threads, " << handles_.count(Kind::space)
       << " spaces, " << handles_.count(Kind::queue) << " queues, " << handles_.count(Kind::semaphore)
       << " semaphores, " << handles_.count(Kind::segment) << " segments; " << fill.count << " of " << fill.capacity
       << " messages wait\n";
  for (const Thread* thread = threads_.first(); thread != nullptr; thread = threads_.after(*thread))
    text << "  " << thread->number << ' ' << name_ << ' ' << state_of(*thread) << " processor " << thread->processor
         << " switches " << thread->switches << '\n';
}

}  // namespace osp::kernel
