#include "kernel/boot/archive.h"
#include "kernel/boot/load.h"
#include "kernel/boot/processors.h"
#include "kernel/boot/start_info.h"
#include "kernel/call/count.h"
#include "kernel/cpu/apic.h"
#include "kernel/cpu/clock.h"
#include "kernel/cpu/panic.h"
#include "kernel/cpu/processor.h"
#include "kernel/cpu/random.h"
#include "kernel/cpu/switch.h"
#include "kernel/device/console.h"
#include "kernel/device/interrupts.h"
#include "kernel/memory/kernel_space.h"
#include "kernel/task/schedule.h"

extern "C" {
extern const char osp_image_end[];
[[noreturn]] void osp_boot_main(uint32_t start_info);
void osp_idle_start();
}

namespace osp::kernel {
namespace {

constexpr uint64_t low_memory = 1 << 20;  // left alone: firmware data, the other processors' start
constexpr size_t max_memory_entries = 64;

struct MachineMemory {
  StartMemory entries[max_memory_entries] = {};
  size_t count = 0;
  uint64_t end = 0;  // of all RAM
  StartModule archive = {};
};
constinit MachineMemory machine;
constinit BootArchive boot_archive;

template <typename T>
const T* at(uint64_t physical) {
  return static_cast<const T*>(physical_pointer(physical));
}

void read_start_info(uint32_t address) {
  const auto* info = at<StartInfo>(address);
  if (info->magic != StartInfo::right_magic || info->version < 1) panic("not started as PVH wants it");
  if (info->module_count > 0) machine.archive = *at<StartModule>(info->modules);
  for (uint32_t i = 0; i < info->memory_count && machine.count < max_memory_entries; ++i) {
    const StartMemory& entry = at<StartMemory>(info->memory_map)[i];
    if (entry.type != StartMemory::ram) continue;
    machine.entries[machine.count++] = entry;
    if (entry.address + entry.size > machine.end) machine.end = entry.address + entry.size;
  }
}

// Adds [start, end) to the free memory, without what lies in [hole_start, hole_end).
void add_around(uint64_t start, uint64_t end, uint64_t hole_start, uint64_t hole_end, uint64_t limit) {
  const uint64_t top = end < limit ? end : limit;
  if (hole_end <= start || hole_start >= end) return add_memory(start, top);
  add_memory(start, hole_start < top ? hole_start : top);
  add_memory(hole_end, top);
}

// Everything but the first MiB, the kernel and the boot archive, up to `limit`.
void add_free_memory(uint64_t from, uint64_t limit) {
  const uint64_t image_end = reinterpret_cast<uint64_t>(osp_image_end) - OSP_KERNEL_BASE;
  const uint64_t least = from > image_end ? from : image_end;
  for (size_t i = 0; i < machine.count; ++i) {
    const uint64_t start = page_up(machine.entries[i].address);
    const uint64_t end = page_down(machine.entries[i].address + machine.entries[i].size);
    if (end > least)
      add_around(start > least ? start : least, end, page_down(machine.archive.address),
                 page_up(machine.archive.address + machine.archive.size), limit);
  }
}

// The entry's page tables reach the first GiB only, so the kernel's own are built from that.
void start_memory() {
  constexpr uint64_t reach = uint64_t{1} << 30;
  add_free_memory(low_memory, reach);
  start_pages(machine.end);
  build_kernel_space(machine.end);
  add_free_memory(reach, machine.end);
}

void read_archive() {
  const StartModule& module = machine.archive;
  if (module.size == 0) panic("there is no boot archive (-initrd)");
  boot_archive.physical = page_down(module.address);
  boot_archive.size = page_up(module.address + module.size) - boot_archive.physical;
  for (uint64_t page = 0; page < boot_archive.size; page += page_size) adopt_page(boot_archive.physical + page);
  Archive archive(at<char>(module.address), module.size);
  ArchiveFile file;
  while (boot_archive.count < max_modules && archive.next(file)) {
    boot_archive.files[boot_archive.count++] = file;
    if (equal(file.name, "debug/count-calls")) count_calls();
  }
}

// NAME of task/NAME; null: not a task.
const char* task_name(const ArchiveFile& file) {
  constexpr char prefix[] = "task/";
  constexpr size_t size = sizeof prefix - 1;
  return length_of(file.name) > size && memcmp(file.name, prefix, size) == 0 ? file.name + size : nullptr;
}

void start_tasks() {
  Task* tasks[max_modules] = {};
  Thread* core = nullptr;
  for (size_t i = 0; i < boot_archive.count; ++i)
    if (const char* name = task_name(boot_archive.files[i])) tasks[i] = Task::create(name);
  for (size_t i = 0; i < boot_archive.count; ++i) {
    if (tasks[i] == nullptr) continue;
    Thread* thread = load_task(*tasks[i], boot_archive.files[i], boot_archive);
    if (thread == nullptr) log("task ", tasks[i]->name(), " cannot be loaded");
    if (thread != nullptr && !tasks[i]->is_core()) start_thread(*thread);
    if (tasks[i]->is_core()) core = thread;
  }
  if (core == nullptr) panic("there is no task core");
  start_thread(*core);
}

void start_machine() {
  prepare_interrupt_table();
  Processor* first = make_processor();
  if (first == nullptr) panic("no memory for the first processor");
  start_processor(*first);
  start_local_apic();
  start_interrupts();
  start_clock();
  start_random();
  first->idle = &make_idle_thread(first->index);
  first->current = first->previous = first->idle;
}

}  // namespace
}  // namespace osp::kernel

void osp_boot_main(uint32_t start_info) {
  using namespace osp::kernel;
  read_start_info(start_info);
  start_memory();
  start_machine();
  start_processors();
  read_archive();
  start_tasks();
  uint64_t unused = 0;
  switch_stacks(&unused, here().idle->stack_pointer);
  panic("the boot stack is used again");
}
