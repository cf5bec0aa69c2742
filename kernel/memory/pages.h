#pragma once

#include <atomic>
#include <cstdint>

#include "kernel/cpu/layout.h"

// Physical pages. Addresses are physical, of the start of a page; 0 is none.
namespace osp::kernel {

inline void* physical_pointer(uint64_t physical) { return reinterpret_cast<void*>(OSP_PHYSICAL_MAP + physical); }
inline uint64_t physical_address(const void* pointer) { return reinterpret_cast<uint64_t>(pointer) - OSP_PHYSICAL_MAP; }

// Adds [start, end) to what is free, while the machine starts. At most 16 ranges are taken.
void add_memory(uint64_t start, uint64_t end);

// Takes pages in a row out of the memory that nobody has had yet, for the table of pages; 0: none is left.
uint64_t take_boot_memory(uint64_t size);

// Sets up the table of pages, for physical addresses below `end`. Nothing is counted before.
void start_pages(uint64_t end);

// A page with one reference, its contents anything. 0: none is left.
[[nodiscard]] uint64_t allocate_page();
[[nodiscard]] uint64_t allocate_clear_page();

// A page for what ring 3 touches: fails while little is left, unless it is urgent (the core's own), so that the core
// can still run and end a program.
[[nodiscard]] uint64_t allocate_program_page(bool urgent);

// One reference more or less; the page is free with the last one. Pages that were never in the table (the boot
// archive's) have to be adopted first.
void hold_page(uint64_t page);
void drop_page(uint64_t page);
void adopt_page(uint64_t page);
[[nodiscard]] uint32_t page_references(uint64_t page);

// Pages whose last reference went but which other processors may still see. Freed after the shoot-down, at the end of
// the object's life.
class PageBatch {
 public:
  PageBatch() = default;
  ~PageBatch() { free_all(); }
  PageBatch(const PageBatch&) = delete;
  PageBatch& operator=(const PageBatch&) = delete;

  void drop(uint64_t page);
  void free_all();
  [[nodiscard]] bool empty() const { return first_ == 0; }

 private:
  uint32_t first_ = 0;
};

[[nodiscard]] uint64_t free_page_count();
[[nodiscard]] uint64_t total_page_count();

}  // namespace osp::kernel
