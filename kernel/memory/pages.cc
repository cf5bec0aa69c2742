#include "kernel/memory/pages.h"

#include "kernel/library/bytes.h"
#include "kernel/library/lock.h"

namespace osp::kernel {
namespace {

struct Page {
  std::atomic<uint32_t> references;
  uint32_t next;  // the number of the next page of a chain
};

struct Range {
  uint64_t next, end;
};

// Memory is given out range by range; what comes back is chained. So nothing is touched that nobody needs.
class Memory {
 public:
  void add(uint64_t start, uint64_t end) {
    if (range_count_ == max_ranges || start >= end) return;
    ranges_[range_count_++] = {start, end};
    total_ += (end - start) / page_size;
    free_.fetch_add((end - start) / page_size, std::memory_order_relaxed);
  }

  uint64_t take(uint64_t size) {
    for (size_t i = range_count_; i > 0; --i)
      if (ranges_[i - 1].end - ranges_[i - 1].next >= size) {
        free_.fetch_sub(size / page_size, std::memory_order_relaxed);
        return ranges_[i - 1].end -= size;
      }
    return 0;
  }

  void start(uint64_t end) {
    const uint64_t place = take(page_up(end / page_size * sizeof(Page)));
    table_ = static_cast<Page*>(physical_pointer(place));
    reserve_ = total_ / 64 < 512 ? total_ / 64 : 512;
  }

  uint64_t allocate() {
    Locked guard(lock_);
    uint64_t page = 0;
    if (chain_ != 0) {
      page = uint64_t{chain_} * page_size;
      chain_ = table_[chain_].next;
    } else {
      page = from_range();
      if (page == 0) return 0;
    }
    free_.fetch_sub(1, std::memory_order_relaxed);
    of(page).references.store(1, std::memory_order_relaxed);
    return page;
  }

  void free_chain(uint32_t first) {
    Locked guard(lock_);
    while (first != 0) {
      const uint32_t next = table_[first].next;
      table_[first].next = chain_;
      chain_ = first;
      first = next;
      free_.fetch_add(1, std::memory_order_relaxed);
    }
  }

  Page& of(uint64_t page) { return table_[page / page_size]; }
  [[nodiscard]] uint64_t free_count() const { return free_.load(std::memory_order_relaxed); }
  [[nodiscard]] uint64_t total() const { return total_; }
  [[nodiscard]] bool scarce() const { return free_count() <= reserve_; }

 private:
  static constexpr size_t max_ranges = 16;

  uint64_t from_range() {
    for (size_t i = 0; i < range_count_; ++i)
      if (ranges_[i].next < ranges_[i].end) {
        const uint64_t page = ranges_[i].next;
        ranges_[i].next += page_size;
        return page;
      }
    return 0;
  }

  Spinlock lock_;
  Page* table_ = nullptr;
  uint32_t chain_ = 0;
  Range ranges_[max_ranges] = {};
  size_t range_count_ = 0;
  uint64_t total_ = 0, reserve_ = 0;
  std::atomic<uint64_t> free_ = 0;
};

constinit Memory memory;

}  // namespace

void add_memory(uint64_t start, uint64_t end) { memory.add(start, end); }
uint64_t take_boot_memory(uint64_t size) { return memory.take(page_up(size)); }
void start_pages(uint64_t end) { memory.start(end); }

uint64_t allocate_page() { return memory.allocate(); }

uint64_t allocate_clear_page() {
  const uint64_t page = allocate_page();
  if (page != 0) clear_page(physical_pointer(page));
  return page;
}

uint64_t allocate_program_page(bool urgent) { return !urgent && memory.scarce() ? 0 : allocate_page(); }

void hold_page(uint64_t page) { memory.of(page).references.fetch_add(1, std::memory_order_relaxed); }
void adopt_page(uint64_t page) { memory.of(page).references.store(1, std::memory_order_relaxed); }

void drop_page(uint64_t page) {
  PageBatch batch;
  batch.drop(page);
}

uint32_t page_references(uint64_t page) { return memory.of(page).references.load(std::memory_order_acquire); }

void PageBatch::drop(uint64_t page) {
  Page& entry = memory.of(page);
  if (entry.references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  entry.next = first_;
  first_ = static_cast<uint32_t>(page / page_size);
}

void PageBatch::free_all() {
  if (first_ != 0) memory.free_chain(first_);
  first_ = 0;
}

uint64_t free_page_count() { return memory.free_count(); }
uint64_t total_page_count() { return memory.total(); }

}  // namespace osp::kernel
