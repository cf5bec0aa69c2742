#include "libosp/native/unpack.h"

#include <zstd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

namespace osp::native {
namespace {

using load::Outcome;
using load::refuse;

constexpr size_t page_size = 4096, skippable_header_size = 8;
constexpr uint32_t skippable_magic = ZSTD_MAGIC_SKIPPABLE_START, skippable_mask = ~uint32_t{0xf};

uint32_t number_at(std::span<const std::byte> bytes, size_t at) {
  uint32_t number = 0;
  std::memcpy(&number, bytes.data() + at, sizeof number);  // the format is little-endian, as x86-64
  return number;
}

bool is_skippable(std::span<const std::byte> frame) {
  return frame.size() >= skippable_header_size && (number_at(frame, 0) & skippable_mask) == skippable_magic;
}

std::unexpected<load::Refusal> bad(size_t at, const char* why) {
  return refuse(EBADMSG, "the compressed archive is damaged in the frame at byte " + std::to_string(at) + ": " + why);
}

// The output, which begins as large as is known and grows where it is not.
class Output {
 public:
  explicit Output(uint64_t limit) : limit_(limit) {}

  // Room for `more` bytes behind what there is.
  Outcome<void> reserve(uint64_t more) {
    if (more > limit_ - size_) return too_large(limit_);
    if (size_ + more <= capacity_) return {};
    const uint64_t wanted = std::min(limit_, std::max(size_ + more, 2 * capacity_));
    PageMemory memory = allocate_pages(wanted);
    if (memory == nullptr) return refuse(ENOMEM, "there is no memory to unpack the archive");
    if (size_ > 0) std::memcpy(memory.get(), memory_.get(), size_);
    memory_ = std::move(memory);
    capacity_ = wanted;
    return {};
  }
  [[nodiscard]] std::byte* end() { return memory_.get() + size_; }
  [[nodiscard]] size_t room() const { return capacity_ - size_; }
  void add(size_t size) { size_ += size; }
  Unpacked take() {
    const std::byte* begin = memory_.get();
    return {.memory = std::shared_ptr<const void>(std::move(memory_)), .bytes = std::span(begin, size_)};
  }

 private:
  const uint64_t limit_;
  PageMemory memory_;
  uint64_t size_ = 0, capacity_ = 0;
};

struct FreeContext {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};
using Context = std::unique_ptr<ZSTD_DCtx, FreeContext>;

// How large the frames are together; none: one does not say.
Outcome<std::optional<uint64_t>> whole_size(std::span<const std::byte> archive, uint64_t limit) {
  uint64_t total = 0;
  for (size_t at = 0; at < archive.size();) {
    const auto rest = archive.subspan(at);
    const size_t packed = ZSTD_findFrameCompressedSize(rest.data(), rest.size());
    if (ZSTD_isError(packed) != 0) return bad(at, ZSTD_getErrorName(packed));
    at += packed;
    if (is_skippable(rest)) continue;
    const unsigned long long size = ZSTD_getFrameContentSize(rest.data(), rest.size());
    if (size == ZSTD_CONTENTSIZE_UNKNOWN) return std::nullopt;
    if (size > limit - total) return too_large(limit);
    total += size;
  }
  return total;
}

// A frame that does not say how large it is.
Outcome<void> unpack_stream(ZSTD_DCtx* context, std::span<const std::byte> frame, size_t at, Output& output) {
  ZSTD_inBuffer in{frame.data(), frame.size(), 0};
  for (;;) {
    if (output.room() == 0)
      if (auto room = output.reserve(1); !room) return room;
    ZSTD_outBuffer out{output.end(), output.room(), 0};
    const size_t left = ZSTD_decompressStream(context, &out, &in);
    if (ZSTD_isError(left) != 0) return bad(at, ZSTD_getErrorName(left));
    output.add(out.pos);
    if (left == 0) return {};
    if (in.pos == in.size && out.pos < out.size) return bad(at, "it is cut off");
  }
}

Outcome<void> unpack_frame(ZSTD_DCtx* context, std::span<const std::byte> frame, size_t at, Output& output) {
  const unsigned long long size = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (size == ZSTD_CONTENTSIZE_UNKNOWN) return unpack_stream(context, frame, at, output);
  if (auto room = output.reserve(size); !room) return room;
  const size_t written = ZSTD_decompressDCtx(context, output.end(), output.room(), frame.data(), frame.size());
  if (ZSTD_isError(written) != 0) return bad(at, ZSTD_getErrorName(written));
  output.add(written);
  return {};
}

}  // namespace

PageMemory allocate_pages(uint64_t size) {
  const uint64_t whole = (std::max<uint64_t>(size, 1) + page_size - 1) / page_size * page_size;
  return PageMemory(static_cast<std::byte*>(aligned_alloc(page_size, whole)));
}

std::unexpected<load::Refusal> too_large(uint64_t size_limit) {
  return refuse(ENOSPC,
                "the archive unpacks to more than the " + std::to_string(size_limit) + " bytes that there are for it");
}

bool is_compressed(std::span<const std::byte> archive) {
  return is_skippable(archive) || (archive.size() >= sizeof(uint32_t) && number_at(archive, 0) == ZSTD_MAGICNUMBER);
}

Outcome<Unpacked> unpack(std::span<const std::byte> archive, uint64_t size_limit) {
  const auto size = whole_size(archive, size_limit);
  if (!size) return std::unexpected(size.error());
  Output output(size_limit);
  if (auto room = output.reserve(size->value_or(std::min<uint64_t>(archive.size(), size_limit))); !room)
    return std::unexpected(room.error());
  const Context context(ZSTD_createDCtx());
  if (context == nullptr) return refuse(ENOMEM, "there is no memory to unpack the archive");
  for (size_t at = 0; at < archive.size();) {
    const auto rest = archive.subspan(at);
    const size_t packed = ZSTD_findFrameCompressedSize(rest.data(), rest.size());  // has been found before, or is now
    if (ZSTD_isError(packed) != 0) return bad(at, ZSTD_getErrorName(packed));
    if (!is_skippable(rest))
      if (auto done = unpack_frame(context.get(), rest.first(packed), at, output); !done)
        return std::unexpected(done.error());
    at += packed;
  }
  return output.take();
}

}  // namespace osp::native
