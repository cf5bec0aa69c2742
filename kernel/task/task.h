#pragma once

#include <atomic>
#include <cstdint>

#include "kernel/ipc/handles.h"
#include "kernel/ipc/queue.h"
#include "kernel/library/text.h"
#include "kernel/memory/map.h"
#include "kernel/task/thread.h"

namespace osp::kernel {

// A program for the host interface: a window, spaces, threads, handles. Made while the machine starts, never freed;
// what it holds goes when its last thread ends.
class Task {
 public:
  // `name` stays the caller's. Null: no memory, or too many tasks.
  [[nodiscard]] static Task* create(const char* name);

  [[nodiscard]] const char* name() const { return name_; }
  [[nodiscard]] uint32_t number() const { return number_; }
  [[nodiscard]] bool is_core() const { return equal(name_, "core"); }
  [[nodiscard]] Map& window() { return window_; }
  [[nodiscard]] uint64_t window_table() const { return window_table_; }
  [[nodiscard]] Handles& handles() { return handles_; }
  // Handle 0, by which the others reach it.
  [[nodiscard]] Queue& queue() { return *queue_; }

  // False: the task ends, or has too many threads.
  [[nodiscard]] bool add_thread(Thread& thread);
  void remove_thread(Thread& thread, int status);

  // Ends all of its threads, the current one as soon as it leaves the kernel. Only the first call has an effect, but
  // the machine's end with task core, which does not return.
  void end(int status);

  // A line for the task and one for each thread; the caller holds no lock.
  void describe(Text& text);

 private:
  static constexpr uint32_t max_threads = 2048;

  Task(const char* name, uint32_t number) : name_(name), number_(number) {}
  friend class Pool<Task>;
  [[nodiscard]] bool allocate();
  void release();

  const char* name_;
  uint32_t number_;
  Spinlock lock_;
  List<Thread, Task> threads_;
  uint32_t thread_count_ = 0;
  bool ending_ = false;
  int status_ = 0;
  uint64_t window_root_ = 0, window_table_ = 0;
  Map window_;
  Handles handles_;
  Queue* queue_ = nullptr;
};

inline constexpr uint32_t max_tasks = 64;
[[nodiscard]] uint32_t task_count();
[[nodiscard]] Task& task_at(uint32_t index);

// A number for a new thread.
[[nodiscard]] uint32_t next_thread_number();

}  // namespace osp::kernel
