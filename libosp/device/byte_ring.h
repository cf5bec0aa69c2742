#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace osp::device {

// Bytes that wait, in order, at most `capacity` of them. Memory is taken with the first byte. An empty ring begins at
// its start again, so that what is passed on at once stays in one place.
class ByteRing {
 public:
  explicit ByteRing(size_t capacity) : capacity_(capacity) {}

  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] size_t capacity() const { return capacity_; }
  [[nodiscard]] size_t room() const { return capacity_ - size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  // False: more waits than that.
  bool resize(size_t capacity);

  // The free bytes that follow each other: fill some of them, and say how many with added(). Empty: it is full.
  [[nodiscard]] std::span<std::byte> space();
  void added(size_t count) { size_ += count; }
  // The first bytes that follow each other, from the `skipped`th on.
  [[nodiscard]] std::span<const std::byte> front(size_t skipped = 0) const;
  void removed(size_t count);
  void clear() { start_ = size_ = 0; }

  // Copies of core memory; how many bytes.
  size_t put(std::span<const std::byte> from);
  size_t take(std::span<std::byte> to);

 private:
  size_t capacity_;
  std::unique_ptr<std::byte[]> bytes_;
  size_t start_ = 0, size_ = 0;
};

}  // namespace osp::device
