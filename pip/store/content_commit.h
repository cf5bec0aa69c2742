#pragma once

#include <functional>
#include <map>
#include <span>

#include "pip/store/content.h"

namespace osp::pip::store {

// Changed runs of bytes, which do not overlap: where each begins, and where it ends.
using Extents = std::map<uint64_t, uint64_t>;

// What a draft says over a version.
struct Changes {
  const Extents* extents = nullptr;  // the caller's
  uint64_t base_end = 0;             // of the version, only the bytes before it count
  uint64_t size = 0;                 // of the file now
  // Fills `into` with the file's bytes as they are now, from `offset` on.
  std::function<Result<void>(uint64_t offset, std::span<std::byte> into)> read;
};

// The content with the changes: only what they touch, to the next cut that was there before, is read and cut anew.
Result<Content> apply_changes(const Content& base, const Changes& changes, ChunkStore& chunks);

}  // namespace osp::pip::store
