#pragma once

#include <zstd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "libosp/load/refusal.h"
#include "libosp/native/unpack.h"
#include "namespace/mem_contents.h"

// Archives of many frames of zstd with a table of them at the end (zstd's contrib/seekable_format,
// zstd_seekable_compression_format.md), each of which is unpacked when something in it is wanted.
namespace osp::native {

// The table is a frame that zstd skips; all numbers are of 32 bits, little-endian. An entry is the size of a frame and
// of what is in it, and perhaps a checksum. Behind the entries: their count, a byte of flags, the magic number.
inline constexpr uint32_t frame_table_magic = 0x8F92EAB1, frame_table_frame_magic = 0x184D2A5E;
inline constexpr size_t frame_table_footer_size = 9;

class Frames final : public ns::MemLender {
 public:
  // Whether `archive` ends with a table.
  static bool has_table(std::span<const std::byte> archive);
  // `archive` must outlive this. EBADMSG: the table does not fit the archive; ENOSPC: there is more than `size_limit`
  // bytes in it; ENOMEM.
  static load::Outcome<std::shared_ptr<Frames>> open(std::span<const std::byte> archive, uint64_t size_limit);

  // Where all of it is, so far as it has been filled.
  [[nodiscard]] std::span<const std::byte> bytes() const { return {memory_.get(), size_}; }
  // EIO: a frame is damaged.
  Result<void> fill(std::span<const std::byte> memory) override;
  // Gives the whole pages of it back.
  void release(std::span<const std::byte> memory) override;
  // Frames that have been unpacked, and all.
  [[nodiscard]] size_t filled() const { return filled_; }
  [[nodiscard]] size_t count() const { return frames_.size(); }

 private:
  struct Frame {
    std::span<const std::byte> packed;
    uint64_t begin = 0, size = 0;  // in what is unpacked
    bool filled = false;
  };
  struct FreeContext {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  Frames() = default;
  load::Outcome<void> read_table(std::span<const std::byte> archive, uint64_t size_limit);
  Result<void> unpack(Frame& frame);

  std::vector<Frame> frames_;  // in their order
  std::unique_ptr<ZSTD_DCtx, FreeContext> context_;
  PageMemory memory_;
  uint64_t size_ = 0;
  size_t filled_ = 0;
};

}  // namespace osp::native
