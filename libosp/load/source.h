#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"

namespace osp::load {

// A file as the loader reads it.
class Source {
 public:
  virtual ~Source() = default;

  // Reads into `into` from byte `offset`; fewer bytes than asked for only at the end of the file. May
  // block as the file does; its errors are the file's.
  [[nodiscard]] virtual Result<size_t> read_at(uint64_t offset, std::span<std::byte> into) = 0;

  // The file's size in bytes.
  [[nodiscard]] virtual uint64_t size() const = 0;
};

// Bytes in memory as a Source. The bytes stay the caller's and must outlive it.
class SpanSource final : public Source {
 public:
  explicit SpanSource(std::span<const std::byte> bytes) : bytes_(bytes) {}

  [[nodiscard]] Result<size_t> read_at(uint64_t offset, std::span<std::byte> into) override {
    if (offset >= bytes_.size()) return size_t{0};
    const size_t count = std::min<size_t>(into.size(), bytes_.size() - offset);
    std::copy_n(bytes_.begin() + static_cast<ptrdiff_t>(offset), count, into.begin());
    return count;
  }
  [[nodiscard]] uint64_t size() const override { return bytes_.size(); }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace osp::load
