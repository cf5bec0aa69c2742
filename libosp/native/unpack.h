#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>

#include "libosp/load/refusal.h"

// Archives that zstd has compressed (RFC 8878).
namespace osp::native {

struct FreePages {
  void operator()(std::byte* memory) const { free(memory); }
};
using PageMemory = std::unique_ptr<std::byte, FreePages>;
// Whole pages for `size` bytes, none of them touched. Null: there is no memory.
PageMemory allocate_pages(uint64_t size);
// ENOSPC, with the reason.
std::unexpected<load::Refusal> too_large(uint64_t size_limit);

// Bytes in memory of their own, which begins at a page.
struct Unpacked {
  std::shared_ptr<const void> memory;
  std::span<const std::byte> bytes;
};

// Whether `archive` begins as zstd's frames do.
bool is_compressed(std::span<const std::byte> archive);

// All frames of `archive`, one behind the other; what may be skipped is. Any bytes are safe. EBADMSG; ENOSPC: more
// than `size_limit` bytes; ENOMEM.
load::Outcome<Unpacked> unpack(std::span<const std::byte> archive, uint64_t size_limit);

}  // namespace osp::native
