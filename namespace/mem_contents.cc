#include "namespace/mem_contents.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace osp::ns {
namespace {

constexpr uint64_t pages_up(uint64_t size) {
  return (size + MemPages::page_size - 1) / MemPages::page_size * MemPages::page_size;
}

}  // namespace

MemContents::~MemContents() {
  if (pages_ != nullptr) budget_.give_back(allocated_);
  release_from(0);
}

Result<size_t> MemContents::read(uint64_t offset, std::span<std::byte> into) const {
  if (offset >= size_) return size_t{0};
  const size_t total = static_cast<size_t>(std::min<uint64_t>(into.size(), size_ - offset));
  if (pages_ != nullptr) {
    std::memcpy(into.data(), pages_->bytes().data() + offset, total);
    return total;
  }
  for (size_t done = 0; done < total;) {
    const uint64_t at = offset + done;
    const size_t start = at % chunk_size;
    const size_t count = std::min<size_t>(total - done, chunk_size - start);
    const std::span<const std::byte> there = piece(at / chunk_size);
    const size_t held = there.size() <= start ? 0 : std::min(count, there.size() - start);
    if (held > 0) {
      OSP_TRY(fill(there.subspan(start, held)));
      std::memcpy(into.data() + done, there.data() + start, held);
    }
    std::fill_n(into.data() + done + held, count - held, std::byte{0});
    done += count;
  }
  return total;
}

Result<size_t> MemContents::write(uint64_t offset, std::span<const std::byte> from) {
  if (from.empty()) return size_t{0};
  if (offset >= size_max) return fail(EFBIG);
  if (pages_ != nullptr) return write_pages(offset, from);
  const size_t total = static_cast<size_t>(std::min<uint64_t>(from.size(), size_max - offset));
  size_t done = 0;
  while (done < total) {
    const uint64_t at = offset + done;
    const size_t start = at % chunk_size;
    const size_t count = std::min<size_t>(total - done, chunk_size - start);
    const auto chunk = grow(at / chunk_size, start + count);
    if (!chunk && done == 0) return std::unexpected(chunk.error());
    if (!chunk) break;
    std::memcpy((*chunk)->data() + start, from.data() + done, count);
    done += count;
  }
  size_ = std::max(size_, offset + done);
  return done;
}

Result<void> MemContents::each_piece(FunctionRef<Result<void>(uint64_t, std::span<const std::byte>)> found) const {
  if (pages_ != nullptr) return size_ == 0 ? Result<void>() : found(0, pages_->bytes().first(size_));
  const uint64_t lent_count = (lent_.size() + chunk_size - 1) / chunk_size;
  for (uint64_t index = 0; index < lent_count; ++index) {
    const std::span<const std::byte> there = piece(index);
    OSP_TRY(fill(there));
    if (!there.empty()) OSP_TRY(found(index * chunk_size, there));
  }
  for (auto chunk = chunks_.lower_bound(lent_count); chunk != chunks_.end(); ++chunk)
    if (!chunk->second.empty()) OSP_TRY(found(chunk->first * chunk_size, chunk->second));
  return {};
}

// Of what is not lent, nothing needs to be done.
Result<void> MemContents::fill(std::span<const std::byte> lent) const {
  const bool is_lent = !lent.empty() && lent.data() >= lent_.data() && lent.data() < lent_.data() + lent_.size();
  return lender_ == nullptr || !is_lent ? Result<void>() : lender_->fill(lent);
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
  if (pages_ != nullptr) return allocated_;
  uint64_t size = allocated_ + lent_.size();
  for (auto chunk = chunks_.begin(); chunk != chunks_.end() && chunk->first * chunk_size < lent_.size(); ++chunk)
    size -= lent_piece(chunk->first).size();
  return size;
}

void MemContents::lend(std::span<const std::byte> memory, MemLender* lender) {
  release_from(0);
  lender_ = lender;
  lent_ = memory;
  size_ = memory.size();
}

Result<std::span<const std::byte>> MemContents::lent(uint64_t offset, uint64_t size) const {
  const auto written = chunks_.lower_bound(offset / chunk_size);
  uint64_t end = offset + std::min(size, size_max - std::min<uint64_t>(offset, size_max));
  end = std::min<uint64_t>(end, lent_.size());
  if (written != chunks_.end()) end = std::min(end, written->first * chunk_size);
  if (end <= offset) return std::span<const std::byte>();
  const auto there = lent_.subspan(static_cast<size_t>(offset), static_cast<size_t>(end - offset));
  OSP_TRY(fill(there));
  return there;
}

Result<std::vector<std::byte>*> MemContents::grow(uint64_t index, size_t end) {
  const auto found = chunks_.find(index);
  const size_t capacity = found == chunks_.end() ? 0 : found->second.capacity();
  if (end <= capacity) {
    if (found->second.size() < end) found->second.resize(end);
    return &found->second;
  }
  const std::span<const std::byte> copied = found == chunks_.end() ? lent_piece(index) : std::span<const std::byte>();
  const size_t size = std::max(end, copied.size());
  const size_t wanted = std::min<size_t>(chunk_size, std::bit_ceil(size));
  OSP_TRY(fill(copied));
  if (!budget_.take(wanted - capacity)) return fail(ENOSPC);
  allocated_ += wanted - capacity;
  std::vector<std::byte>& chunk = found == chunks_.end() ? chunks_[index] : found->second;
  chunk.reserve(wanted);
  chunk.insert(chunk.end(), copied.begin(), copied.end());
  chunk.resize(size);
  return &chunk;
}

Result<void> MemContents::resize(uint64_t size) {
  if (size > size_max) return fail(EFBIG);
  if (pages_ != nullptr) return resize_pages(size);
  if (size < size_) {
    lent_ = lent_.first(static_cast<size_t>(std::min<uint64_t>(size, lent_.size())));
    release_from((size + chunk_size - 1) / chunk_size);
    const auto last = chunks_.find(size / chunk_size);
    if (last != chunks_.end() && last->second.size() > size % chunk_size) last->second.resize(size % chunk_size);
  }
  size_ = size;
  return {};
}

Result<void> MemContents::move_to(std::shared_ptr<MemPages> pages, MemPageMaker maker) {
  const uint64_t size = pages_up(size_);
  if (!budget_.take(size)) return fail(ENOSPC);
  auto moved = pages->resize(size_);
  if (moved)
    moved = each_piece([&](uint64_t at, std::span<const std::byte> piece) -> Result<void> {
      const size_t count = static_cast<size_t>(std::min<uint64_t>(piece.size(), size_ - at));
      std::memcpy(pages->bytes().data() + at, piece.data(), count);
      return {};
    });
  if (!moved) {
    budget_.give_back(size);
    return moved;
  }
  if (lender_ != nullptr && !lent_.empty()) lender_->release(lent_);
  lent_ = {};
  release_from(0);
  pages_ = std::move(pages), maker_ = std::move(maker);
  allocated_ = size;
  return {};
}

// Of what is allocated in whole pages. ENOSPC.
Result<void> MemContents::charge(uint64_t size) {
  const uint64_t wanted = pages_up(size);
  if (wanted > allocated_ && !budget_.take(wanted - allocated_)) return fail(ENOSPC);
  if (wanted < allocated_) budget_.give_back(allocated_ - wanted);
  allocated_ = wanted;
  return {};
}

Result<size_t> MemContents::write_pages(uint64_t offset, std::span<const std::byte> from) {
  uint64_t end = offset + std::min<uint64_t>(from.size(), size_max - offset);
  if (end > size_ && !resize_pages(end)) {
    end = std::max(size_, std::min(end, allocated_));  // what fits
    if (end <= offset || !resize_pages(end)) return fail(ENOSPC);
  }
  const size_t count = static_cast<size_t>(end - offset);
  std::memcpy(pages_->bytes().data() + offset, from.data(), count);
  return count;
}

// Programs may have written behind the end: what is added must be zeros, as what is cut off must.
Result<void> MemContents::resize_pages(uint64_t size) {
  if (size < size_ && pages_->is_executed()) return leave_pages(size);
  const uint64_t before = size_;
  if (size > before) OSP_TRY(charge(size));
  if (auto resized = pages_->resize(size); !resized) {
    static_cast<void>(charge(before));
    return resized;
  }
  if (size < before) OSP_TRY(charge(size));
  const uint64_t end = std::min(size, before);
  const auto bytes = pages_->bytes();
  std::fill_n(bytes.data() + end, std::min<uint64_t>(pages_up(end), bytes.size()) - end, std::byte{0});
  size_ = size;
  return {};
}

// Who has mapped the old pages keeps them.
Result<void> MemContents::leave_pages(uint64_t size) {
  OSP_ASSIGN(std::shared_ptr<MemPages> fresh, maker_());
  OSP_TRY(fresh->resize(size));
  if (size > 0) std::memcpy(fresh->bytes().data(), pages_->bytes().data(), size);
  pages_ = std::move(fresh);
  size_ = size;
  return charge(size);
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
