#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "base/result.h"
#include "pip/server.h"

namespace osp::ns {

// Whole pages that hold a file's contents and that programs can map. What lies behind the end of the contents is zero
// up to the end of the page, but for what programs write there.
class MemPages {
 public:
  static constexpr uint64_t page_size = 4096;

  virtual ~MemPages() = default;
  // Where the contents are; valid until the next resize().
  [[nodiscard]] virtual std::span<std::byte> bytes() = 0;
  // The contents are `size` bytes from now on, and what is added is zeros; mappings do not reach what is cut off.
  // ENOMEM, EFBIG.
  virtual Result<void> resize(uint64_t size) = 0;
  // Whether a program's text runs from these pages: then they must stay as they are when the file is cut.
  [[nodiscard]] virtual bool is_executed() const = 0;
  // As pip::File::map().
  [[nodiscard]] virtual pip::PageRange range(uint64_t offset) = 0;
};

// Makes pages for contents of 0 bytes. ENOMEM, EMFILE.
using MemPageMaker = std::function<Result<std::shared_ptr<MemPages>>()>;

}  // namespace osp::ns
