#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "base/result.h"
#include "namespace/function_ref.h"
#include "namespace/mem_pages.h"

namespace osp::ns {

// Bytes that a memory file system may use, counted over all its files.
class MemBudget {
 public:
  explicit MemBudget(uint64_t limit) : limit_(limit) {}
  // false: not that many are left.
  [[nodiscard]] bool take(uint64_t size) {
    if (size > limit_ - used_) return false;
    used_ += size;
    return true;
  }
  void give_back(uint64_t size) { used_ -= size; }
  [[nodiscard]] uint64_t used() const { return used_; }
  [[nodiscard]] uint64_t limit() const { return limit_; }

 private:
  uint64_t limit_;
  uint64_t used_ = 0;
};

// Whose memory contents may refer to, if it is not there from the beginning.
class MemLender {
 public:
  virtual ~MemLender() = default;
  // Sees to it that `memory`, a part of what was lent, holds what it is to. EIO: it cannot.
  virtual Result<void> fill(std::span<const std::byte> memory) = 0;
  // `memory`, which nobody else was lent, will not be read again.
  virtual void release(std::span<const std::byte>) {}
};

// The contents of a file in memory: chunks of 64 KiB by their index, each as long as it has been written.
// What is missing reads as what was lent, else as zeros, so holes cost nothing. From move_to() on they are in pages and
// nowhere else, and each costs the budget what it has of them. Not thread-safe.
class MemContents {
 public:
  static constexpr uint64_t chunk_size = 64 * 1024;
  static constexpr uint64_t size_max = INT64_MAX;

  // The budget is borrowed, and outlives the contents.
  explicit MemContents(MemBudget& budget) : budget_(budget) {}
  ~MemContents();
  MemContents(const MemContents&) = delete;
  MemContents& operator=(const MemContents&) = delete;

  [[nodiscard]] uint64_t size() const { return size_; }
  [[nodiscard]] uint64_t allocated() const;  // bytes, what is lent too

  // As pread(2), pwrite(2). EIO: of the lender. write: EFBIG; ENOSPC if not even one byte fits.
  Result<size_t> read(uint64_t offset, std::span<std::byte> into) const;
  Result<size_t> write(uint64_t offset, std::span<const std::byte> from);
  // Copies all contents to `pages`, which are empty. ENOSPC EIO, and what resize() says.
  Result<void> move_to(std::shared_ptr<MemPages> pages, MemPageMaker maker);
  // Where move_to() has put them; else null.
  [[nodiscard]] const std::shared_ptr<MemPages>& pages() const { return pages_; }

  // Calls `found` with each piece that is not a hole, and its offset. The first error.
  Result<void> each_piece(FunctionRef<Result<void>(uint64_t, std::span<const std::byte>)> found) const;
  // truncate(2). EFBIG.
  Result<void> resize(uint64_t size);

  // The contents are those of `memory` from now on, in place of all others. It and the lender must outlive them, and it
  // must not change; it costs no budget, and a chunk of it is copied when it is written.
  void lend(std::span<const std::byte> memory, MemLender* lender = nullptr);
  // Where the bytes from `offset` on lie, at most `size`, so far as they were lent and not written since; empty for
  // others. EIO.
  [[nodiscard]] Result<std::span<const std::byte>> lent(uint64_t offset, uint64_t size) const;

 private:
  // What is there of chunk `index`, from its begin on.
  [[nodiscard]] std::span<const std::byte> piece(uint64_t index) const;
  [[nodiscard]] std::span<const std::byte> lent_piece(uint64_t index) const;
  [[nodiscard]] Result<void> fill(std::span<const std::byte> lent) const;
  // The piece of chunk `index` up to `end` bytes, made if needed. ENOSPC EIO.
  Result<std::vector<std::byte>*> grow(uint64_t index, size_t end);
  void release_from(uint64_t first_index);
  // The same of contents that are in pages.
  Result<size_t> write_pages(uint64_t offset, std::span<const std::byte> from);
  Result<void> resize_pages(uint64_t size);
  Result<void> leave_pages(uint64_t size);
  [[nodiscard]] Result<void> charge(uint64_t size);

  MemBudget& budget_;
  std::span<const std::byte> lent_;
  MemLender* lender_ = nullptr;
  std::map<uint64_t, std::vector<std::byte>> chunks_;
  std::shared_ptr<MemPages> pages_;
  MemPageMaker maker_;  // where pages_ came from
  uint64_t size_ = 0;
  uint64_t allocated_ = 0;
};

}  // namespace osp::ns
