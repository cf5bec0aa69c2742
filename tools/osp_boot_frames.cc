#include "tools/osp_boot_frames.h"

#include <sys/mman.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "libosp/native/frames.h"

namespace osp::tools {
namespace {

// Reading a byte unpacks this much.
constexpr uint64_t frame_size_max = 256 * 1024;
// The fastest: it is compressed anew for each boot.
constexpr int level = 1;

// The archive's pages.
class Mapping {
 public:
  Mapping(int fd, size_t size) : size_(size), memory_(mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0)) {}
  ~Mapping() {
    if (memory_ != MAP_FAILED) munmap(memory_, size_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  // Empty: it could not be mapped.
  [[nodiscard]] std::string_view bytes() const {
    return memory_ == MAP_FAILED ? std::string_view() : std::string_view(static_cast<const char*>(memory_), size_);
  }

 private:
  size_t size_;
  void* memory_;
};

std::string number(uint64_t value) {
  const auto narrow = static_cast<uint32_t>(value);
  return {reinterpret_cast<const char*>(&narrow), sizeof narrow};  // little-endian, as x86-64
}

class FrameWriter {
 public:
  FrameWriter(int to, uint64_t begin)
      : to_(to),
        at_(begin),
        context_(ZSTD_createCCtx(), ZSTD_freeCCtx),
        buffer_(ZSTD_compressBound(frame_size_max), '\0') {}

  // Frames for `bytes`, as many as they need.
  BootResult<void> add(std::string_view bytes) {
    for (size_t at = 0; at < bytes.size(); at += frame_size_max)
      if (auto done = add_frame(bytes.substr(at, frame_size_max)); !done) return done;
    return {};
  }

  BootResult<uint64_t> finish() {
    const std::string content = table_ + number(count_) + '\0' + number(native::frame_table_magic);
    if (auto done = put(number(native::frame_table_frame_magic) + number(content.size()) + content); !done)
      return std::unexpected(done.error());
    return at_;
  }

 private:
  BootResult<void> add_frame(std::string_view bytes) {
    const size_t size =
        ZSTD_compressCCtx(context_.get(), buffer_.data(), buffer_.size(), bytes.data(), bytes.size(), level);
    if (ZSTD_isError(size) != 0) return std::unexpected(std::string("cannot compress: ") + ZSTD_getErrorName(size));
    table_ += number(size) + number(bytes.size());
    ++count_;
    return put(std::string_view(buffer_).substr(0, size));
  }
  BootResult<void> put(std::string_view bytes) {
    auto done = write_all(to_, at_, bytes);
    at_ += bytes.size();
    return done;
  }

  int to_;
  uint64_t at_;
  std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> context_;
  std::string buffer_, table_;
  uint64_t count_ = 0;
};

}  // namespace

BootResult<uint64_t> write_frames(int from, uint64_t size, const std::vector<Extent>& large, int to, uint64_t begin) {
  const Mapping archive(from, size);
  if (archive.bytes().empty()) return std::unexpected(std::string("cannot read the root archive: ") + strerror(errno));
  FrameWriter writer(to, begin);
  uint64_t at = 0;
  for (const Extent& extent : large) {
    for (const uint64_t end : {extent.begin, extent.begin + extent.size}) {
      if (auto done = writer.add(archive.bytes().substr(at, end - at)); !done) return std::unexpected(done.error());
      at = end;
    }
  }
  if (auto done = writer.add(archive.bytes().substr(at)); !done) return std::unexpected(done.error());
  return writer.finish();
}

}  // namespace osp::tools
