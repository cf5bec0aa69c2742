#pragma once

#include <atomic>
#include <cstdint>

#include "kernel/ipc/object.h"
#include "kernel/memory/map.h"

namespace osp::kernel {

class Task;

inline constexpr uint64_t window_start = uint64_t{OSP_WINDOW_SLOT} << 39,
                          window_end = window_start + (uint64_t{1} << 39);

constexpr bool in_window(uint64_t address) { return address >= window_start && address < window_end; }

// An address space: a map of its own, and its task's window.
class Space : public Object {
 public:
  static constexpr Kind object_kind = Kind::space;

  // An empty one. Null: no memory.
  [[nodiscard]] static Space* create(Task& task);
  static void destroy(Space* space);

  [[nodiscard]] Task& task() const { return task_; }
  [[nodiscard]] Map& own() { return own_; }
  [[nodiscard]] uint64_t root_address() const { return root_; }
  // Nobody may load it any more.
  [[nodiscard]] bool dying() const { return dying_.load(std::memory_order_relaxed); }

  // The map that all of [address, address + size) belongs to; null: none.
  [[nodiscard]] Map* map_of(uint64_t address, uint64_t size);

  // A page fault of ring 3, or of the kernel for it: 0, or what Map::fault() answers.
  [[nodiscard]] long fault(uint64_t address, uint64_t error);

  // A processor loads it instead of `old`, or `next` instead of it; either may be null.
  void arrive(uint32_t processor, const Space* old);
  void depart(uint32_t processor, const Space* next);

 private:
  Space(Task& task, uint64_t root) : Object(Kind::space), task_(task), root_(root) {}
  ~Space() = default;
  friend class Pool<Space>;

  Task& task_;
  uint64_t root_;
  std::atomic<bool> dying_ = false;
  Map own_;
};

}  // namespace osp::kernel
