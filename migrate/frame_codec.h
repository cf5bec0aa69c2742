#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "migrate/image_format.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace osp::migrate {

// How one frame's bytes are stored.
struct EncodedFrame {
  format::Codec codec = format::Codec::raw;
  std::span<const std::byte> stored;  // lies in the encoder or in what was given; until the next encode()
};

// Compresses frames, one after the other, in buffers of its own. Several may work side by side.
class FrameEncoder {
 public:
  // `level` as zstd's (1 is fast; 0: store all raw); frames have at most `frame_size` bytes. ENOMEM, EINVAL.
  static Result<FrameEncoder> create(int level, size_t frame_size);

  // Frames that zstd makes less than a sixteenth smaller are stored raw. `raw`: 1 to frame_size bytes.
  [[nodiscard]] EncodedFrame encode(std::span<const std::byte> raw);

 private:
  struct Free {
    void operator()(ZSTD_CCtx_s* context) const;
  };
  std::unique_ptr<ZSTD_CCtx_s, Free> context_;  // null: store raw
  std::vector<std::byte> buffer_;
};

// The other way.
class FrameDecoder {
 public:
  static Result<FrameDecoder> create();  // ENOMEM

  // Decompresses `stored`, which must be exactly one zstd frame that makes exactly into.size() bytes: EBADMSG.
  Result<void> decode(std::span<const std::byte> stored, std::span<std::byte> into);

 private:
  struct Free {
    void operator()(ZSTD_DCtx_s* context) const;
  };
  std::unique_ptr<ZSTD_DCtx_s, Free> context_;
};

}  // namespace osp::migrate
