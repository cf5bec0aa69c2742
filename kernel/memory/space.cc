#include "kernel/memory/space.h"

#include <cerrno>

#include "kernel/cpu/frame.h"
#include "kernel/library/pool.h"
#include "kernel/memory/kernel_space.h"
#include "kernel/memory/shootdown.h"
#include "kernel/task/schedule.h"
#include "kernel/task/task.h"

namespace osp::kernel {
namespace {

constexpr uint64_t lowest_address = 0x1000;  // a null pointer's page stays free
constexpr uint64_t error_write = 2, error_execute = 16;

constinit Pool<Space> spaces;

uint64_t bit_of(uint32_t processor) { return uint64_t{1} << processor; }

}  // namespace

Space* Space::create(Task& task) {
  const uint64_t root = allocate_clear_page();
  Space* space = root == 0 ? nullptr : spaces.make(task, root);
  if (space == nullptr) {
    if (root != 0) drop_page(root);
    return nullptr;
  }
  auto* table = static_cast<uint64_t*>(physical_pointer(root));
  share_kernel_half(table);
  table[OSP_WINDOW_SLOT] = task.window_table() | entry::table;
  space->own_.prepare(table, lowest_address, user_end, false);
  return space;
}

void Space::destroy(Space* space) {
  auto* table = static_cast<uint64_t*>(physical_pointer(space->root_));
  space->dying_.store(true);
  leave_space(*space);
  shoot_down_at_once(space->own_.processors.load());
  table[OSP_WINDOW_SLOT] = 0;
  space->own_.clear();
  drop_page(space->root_);
  spaces.drop(space);
}

Map* Space::map_of(uint64_t address, uint64_t size) {
  Map& window = task_.window();
  if (in_window(address)) return window.contains(address, size) ? &window : nullptr;
  if (!own_.contains(address, size) || (address < window_start && address + size > window_start)) return nullptr;
  return &own_;
}

long Space::fault(uint64_t address, uint64_t error) {
  Map* map = map_of(address, 1);
  if (map == nullptr) return -EFAULT;
  const Access access = (error & error_write) != 0     ? Access::write
                        : (error & error_execute) != 0 ? Access::execute
                                                       : Access::read;
  return map->fault(address, access);
}

void Space::arrive(uint32_t processor, const Space* old) {
  own_.processors.fetch_or(bit_of(processor));
  if (old == nullptr || &old->task_ != &task_) task_.window().processors.fetch_or(bit_of(processor));
}

void Space::depart(uint32_t processor, const Space* next) {
  own_.processors.fetch_and(~bit_of(processor));
  if (next == nullptr || &next->task_ != &task_) task_.window().processors.fetch_and(~bit_of(processor));
}

}  // namespace osp::kernel
