#include "libosp/device/byte_ring.h"

#include <algorithm>
#include <cstring>

namespace osp::device {

bool ByteRing::resize(size_t capacity) {
  if (capacity < size_) return false;
  auto bytes = std::make_unique_for_overwrite<std::byte[]>(capacity);
  const size_t kept = size_;
  take({bytes.get(), kept});
  bytes_ = std::move(bytes);
  capacity_ = capacity, start_ = 0, size_ = kept;
  return true;
}

std::span<std::byte> ByteRing::space() {
  if (bytes_ == nullptr) bytes_ = std::make_unique_for_overwrite<std::byte[]>(capacity_);
  const size_t end = (start_ + size_) % capacity_;
  const size_t until = end < start_ ? start_ : capacity_;
  return {bytes_.get() + end, std::min(until - end, room())};
}

std::span<const std::byte> ByteRing::front(size_t skipped) const {
  if (skipped >= size_) return {};
  const size_t from = (start_ + skipped) % capacity_;
  return {bytes_.get() + from, std::min(size_ - skipped, capacity_ - from)};
}

void ByteRing::removed(size_t count) {
  size_ -= count;
  start_ = size_ == 0 ? 0 : (start_ + count) % capacity_;
}

size_t ByteRing::put(std::span<const std::byte> from) {
  size_t done = 0;
  while (done < from.size() && room() > 0) {
    const auto to = space();
    const size_t part = std::min(to.size(), from.size() - done);
    std::memcpy(to.data(), from.data() + done, part);
    added(part);
    done += part;
  }
  return done;
}

size_t ByteRing::take(std::span<std::byte> to) {
  size_t done = 0;
  while (done < to.size() && !empty()) {
    const auto from = front();
    const size_t part = std::min(from.size(), to.size() - done);
    std::memcpy(to.data() + done, from.data(), part);
    removed(part);
    done += part;
  }
  return done;
}

}  // namespace osp::device
