#include "kernel/memory/kernel_space.h"

#include <initializer_list>

#include "kernel/cpu/apic.h"
#include "kernel/cpu/panic.h"
#include "kernel/cpu/registers.h"
#include "kernel/library/lock.h"
#include "kernel/memory/entries.h"

extern "C" {
extern const char osp_text_start[], osp_rodata_start[], osp_data_start[], osp_image_end[];
uint64_t osp_kernel_root;  // for kernel/boot/entry.S
}

namespace osp::kernel {
namespace {

constexpr uint64_t stacks_start = 0xffff'ff00'0000'0000;
constexpr uint64_t stack_size = 2 * page_size, stack_span = 4 * page_size;  // the rest is a guard
constexpr uint64_t max_stacks = uint64_t{1} << 20;
constexpr uint64_t first_kernel_slot = 256, slots = 512;

uint64_t* root() { return static_cast<uint64_t*>(physical_pointer(osp_kernel_root)); }

void map_kernel_page(uint64_t address, uint64_t page, uint64_t rights) {
  uint64_t* place = entry::find(root(), address, entry::Missing::make_urgently);
  if (place == nullptr) panic("no memory for the kernel's page tables");
  *place = page | rights | entry::present | entry::global;
}

void map_large(uint64_t physical, uint64_t rights) {
  const uint64_t address = OSP_PHYSICAL_MAP + physical;
  uint64_t* at = root();
  for (int level = 3; level > 1; --level) {
    uint64_t& next = at[entry::index_of(address, level)];
    if (next == 0) next = allocate_clear_page() | entry::table;
    at = entry::table_of(next);
  }
  at[entry::index_of(address, 1)] =
      physical | rights | entry::large | entry::present | entry::writable | entry::global | entry::no_execute;
}

void map_image(const char* start, const char* end, uint64_t rights) {
  for (auto at = reinterpret_cast<uint64_t>(start); at < reinterpret_cast<uint64_t>(end); at += page_size)
    map_kernel_page(at, at - OSP_KERNEL_BASE, rights);
}

// Stacks that nobody has, and how many have been made at all.
class Stacks {
 public:
  uint64_t take() {
    Locked guard(lock_);
    if (free_ != 0) {
      const uint64_t top = free_;
      free_ = *reinterpret_cast<uint64_t*>(top - 8);
      return top;
    }
    return count_ == max_stacks ? 0 : make();
  }

  void give(uint64_t top) {
    Locked guard(lock_);
    *reinterpret_cast<uint64_t*>(top - 8) = free_;
    free_ = top;
  }

 private:
  uint64_t make() {
    const uint64_t top = stacks_start + (count_ + 1) * stack_span;
    const uint64_t pages[] = {allocate_page(), allocate_page()};
    uint64_t* const places[] = {entry::find(root(), top - 2 * page_size, entry::Missing::make_urgently),
                                entry::find(root(), top - page_size, entry::Missing::make_urgently)};
    if (pages[0] == 0 || pages[1] == 0 || places[0] == nullptr || places[1] == nullptr) {
      for (const uint64_t page : pages)
        if (page != 0) drop_page(page);
      return 0;
    }
    constexpr uint64_t rights = entry::present | entry::writable | entry::global | entry::no_execute;
    for (int i = 0; i < 2; ++i) *places[i] = pages[i] | rights;
    ++count_;
    return top;
  }

  Spinlock lock_;
  uint64_t free_ = 0, count_ = 0;
};

constinit Stacks stacks;

}  // namespace

void build_kernel_space(uint64_t end) {
  osp_kernel_root = allocate_clear_page();
  for (uint64_t at = 0; at < end; at += entry::span_of(1)) map_large(at, 0);
  for (const uint64_t device : {io_apic_address, local_apic_address})
    map_large(device & ~(entry::span_of(1) - 1), entry::uncached);
  map_image(osp_text_start, osp_rodata_start, 0);
  map_image(osp_rodata_start, osp_data_start, entry::no_execute);
  map_image(osp_data_start, osp_image_end, entry::no_execute | entry::writable);
  uint64_t& stacks_slot = root()[entry::index_of(stacks_start, 3)];
  stacks_slot = allocate_clear_page() | entry::table;  // before the first space copies the root
  cpu::write_cr3(osp_kernel_root);
}

uint64_t kernel_root() { return osp_kernel_root; }
uint64_t make_kernel_stack() { return stacks.take(); }
void drop_kernel_stack(uint64_t top) { stacks.give(top); }

bool is_kernel_stack(uint64_t address, size_t size) {
  if (address % 8 != 0) return false;
  const uint64_t image_start = reinterpret_cast<uint64_t>(osp_data_start);
  const uint64_t image_end = reinterpret_cast<uint64_t>(osp_image_end);
  if (address >= image_start && address + size <= image_end) return true;
  if (address < stacks_start || address >= stacks_start + max_stacks * stack_span) return false;
  const uint64_t above_guard = (address - stacks_start) % stack_span;
  const uint64_t* place = entry::find(root(), address, entry::Missing::leave);
  return above_guard >= stack_span - stack_size && above_guard + size <= stack_span && place != nullptr && *place != 0;
}

void share_kernel_half(uint64_t* to) {
  memcpy(to + first_kernel_slot, root() + first_kernel_slot, (slots - first_kernel_slot) * sizeof(uint64_t));
}

}  // namespace osp::kernel
