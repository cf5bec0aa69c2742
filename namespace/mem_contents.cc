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
    const auto chunk = chunks_.find(at / chunk_size);
    const size_t held =
        chunk == chunks_.end() || chunk->second.size() <= start ? 0 : std::min(count, chunk->second.size() - start);
    if (held > 0) std::memcpy(into.data() + done, chunk->second.data() + start, held);
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
  for (const auto& [index, chunk] : chunks_)
    if (!chunk.empty()) OSP_TRY(found(index * chunk_size, chunk));
  return {};
}

std::vector<std::byte>* MemContents::grow(uint64_t index, size_t end) {
  const auto found = chunks_.find(index);
  const size_t capacity = found == chunks_.end() ? 0 : found->second.capacity();
  if (end <= capacity) {
    if (found->second.size() < end) found->second.resize(end);
    return &found->second;
  }
  const size_t wanted = std::min<size_t>(chunk_size, std::bit_ceil(end));
  if (!budget_.take(wanted - capacity)) return nullptr;
  allocated_ += wanted - capacity;
  std::vector<std::byte>& chunk = found == chunks_.end() ? chunks_[index] : found->second;
  chunk.reserve(wanted);
  chunk.resize(end);
  return &chunk;
}

Result<void> MemContents::resize(uint64_t size) {
  if (size > size_max) return fail(EFBIG);
  if (size < size_) {
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
