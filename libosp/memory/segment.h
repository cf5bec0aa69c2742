#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/result.h"

namespace osp::memory {

// Natively, memory that several spaces can have mapped (host/native.h): zeroes at first. Owns the kernel's handle; what
// is mapped stays when it is gone.
class Segment {
 public:
  explicit Segment(int handle) : handle_(handle) {}
  ~Segment();
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  // ENOMEM, EMFILE.
  static Result<std::shared_ptr<Segment>> make(uint64_t size);
  // ENOMEM.
  Result<void> resize(uint64_t size);
  [[nodiscard]] int handle() const { return handle_; }

 private:
  int handle_;
};

// Maps `size` bytes of it from `offset` on at `address`, in place of what is there; `is_private`: a page is the space's
// own from when it is written. ENOMEM, EINVAL.
long map_segment(int handle, uintptr_t address, size_t size, uint64_t offset, int protection, bool is_private);

}  // namespace osp::memory
