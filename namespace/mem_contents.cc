#include "namespace/mem_contents.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace osp::ns {

size_t MemContents::read(uint64_t offset, std::span<std::byte> into) const {
  if (offset >= size_) return 0;
  const size_t total = static_cast<size_t>(std::min<uint64_t>(into.size(), size_ - offset));
  for (size_t done = 0; done < total;) {
    const uint64_t at = offset + done;
    const size_t start = at % chunk_size;
    const size_t count = std::min<size_t>(total - done, chunk_size - start);
    const std::span<const std::byte> there = piece(at / chunk_size);
    const size_t held = there.size() <= start ? 0 : std::min(count, there.size() - start);
    if (held > 0) std::memcpy(into.data() + done, there.data() + start, held);
    std::fill_n(into.data() + done + held, count - held, std::byte{0});
    done += count;
  }
  return total;
}

Result<size_t> MemContents::write(uint64_t offset, std::span<const std::byte> from) {
  if (from.empty()) return size_t{0};
  if (offset >= size_max) return fail(EFBIG);
  const size_t total = static_cast<size_t>(std::min<uint64_t>(from.size(), size_max - offset));
  size_t done = 0;
  while (done < total) {
    const uint64_t at = offset + done;
    const size_t start = at % chunk_size;
    const size_t count = std::min<size_t>(total - done, chunk_size - start);
    std::vector<std::byte>* chunk = grow(at / chunk_size, start + count);
    if (chunk == nullptr) break;
    std::memcpy(chunk->data() + start, from.data() + done, count);
    done += count;
  }
  if (done == 0) return fail(ENOSPC);
  size_ = std::max(size_, offset + done);
  return done;
}

Result<void> MemContents::each_piece(FunctionRef<Result<void>(uint64_t, std::span<const std::byte>)> found) const {
  const uint64_t lent_count = (lent_.size() + chunk_size - 1) / chunk_size;
  for (uint64_t index = 0; index < lent_count; ++index)
    if (const auto there = piece(index); !there.empty()) OSP_TRY(found(index * chunk_size, there));
  for (auto chunk = chunks_.lower_bound(lent_count); chunk != chunks_.end(); ++chunk)
    if (!chunk->second.empty()) OSP_TRY(found(chunk->first * chunk_size, chunk->second));
  return {};
}

std::span<const std::byte> MemContents::lent_piece(uint64_t index) const {
  if (index * chunk_size >= lent_.size()) return {};
  const size_t begin = static_cast<size_t>(index * chunk_size);
  return lent_.subspan(begin, std::min<size_t>(chunk_size, lent_.size() - begin));
}

std::span<const std::byte> MemContents::piece(uint64_t index) const {
  const auto chunk = chunks_.find(index);
  return chunk == chunks_.end() ? lent_piece(index) : std::span<const std::byte>(chunk->second);
}

uint64_t MemContents::allocated() const {
  uint64_t size = allocated_ + lent_.size();
  for (auto chunk = chunks_.begin(); chunk != chunks_.end() && chunk->first * chunk_size < lent_.size(); ++chunk)
    size -= lent_piece(chunk->first).size();
  return size;
}

void MemContents::lend(std::span<const std::byte> memory) {
  release_from(0);
  lent_ = memory;
  size_ = memory.size();
}

std::span<const std::byte> MemContents::lent(uint64_t offset) const {
  if (offset >= lent_.size()) return {};
  const auto written = chunks_.lower_bound(offset / chunk_size);
  const uint64_t end =
      written == chunks_.end() ? lent_.size() : std::min<uint64_t>(lent_.size(), written->first * chunk_size);
  if (end <= offset) return {};
  return lent_.subspan(static_cast<size_t>(offset), static_cast<size_t>(end - offset));
}

std::vector<std::byte>* MemContents::grow(uint64_t index, size_t end) {
  const auto found = chunks_.find(index);
  const size_t capacity = found == chunks_.end() ? 0 : found->second.capacity();
  if (end <= capacity) {
    if (found->second.size() < end) found->second.resize(end);
    return &found->second;
  }
  const std::span<const std::byte> copied = found == chunks_.end() ? lent_piece(index) : std::span<const std::byte>();
  const size_t size = std::max(end, copied.size());
  const size_t wanted = std::min<size_t>(chunk_size, std::bit_ceil(size));
  if (!budget_.take(wanted - capacity)) return nullptr;
  allocated_ += wanted - capacity;
  std::vector<std::byte>& chunk = found == chunks_.end() ? chunks_[index] : found->second;
  chunk.reserve(wanted);
  chunk.insert(chunk.end(), copied.begin(), copied.end());
  chunk.resize(size);
  return &chunk;
}

Result<void> MemContents::resize(uint64_t size) {
  if (size > size_max) return fail(EFBIG);
  if (size < size_) {
    lent_ = lent_.first(static_cast<size_t>(std::min<uint64_t>(size, lent_.size())));
    release_from((size + chunk_size - 1) / chunk_size);
    const auto last = chunks_.find(size / chunk_size);
    if (last != chunks_.end() && last->second.size() > size % chunk_size) last->second.resize(size % chunk_size);
  }
  size_ = size;
  return {};
}

void MemContents::release_from(uint64_t first_index) {
  const auto first = chunks_.lower_bound(first_index);
  for (auto chunk = first; chunk != chunks_.end(); ++chunk) {
    budget_.give_back(chunk->second.capacity());
    allocated_ -= chunk->second.capacity();
  }
  chunks_.erase(first, chunks_.end());
}

}  // namespace osp::ns
