#include "libosp/native/frames.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "libosp/host/host.h"

namespace osp::native {
namespace {

using load::Outcome;
using load::refuse;

constexpr size_t entry_size = 8, checksum_size = 4, frame_header_size = 8;
constexpr unsigned has_checksums = 0x80, reserved_flags = 0x7c;

uint32_t number_at(std::span<const std::byte> bytes, size_t at) {
  uint32_t number = 0;
  std::memcpy(&number, bytes.data() + at, sizeof number);  // little-endian, as x86-64
  return number;
}

std::unexpected<load::Refusal> bad(const char* why) {
  return refuse(EBADMSG, std::string("the compressed archive has a damaged table of its frames: ") + why);
}

}  // namespace

bool Frames::has_table(std::span<const std::byte> archive) {
  return archive.size() >= frame_header_size + frame_table_footer_size &&
         number_at(archive, archive.size() - sizeof(uint32_t)) == frame_table_magic;
}

Outcome<void> Frames::read_table(std::span<const std::byte> archive, uint64_t size_limit) {
  const auto footer = archive.last(frame_table_footer_size);
  const uint64_t count = number_at(footer, 0);
  const auto flags = static_cast<unsigned>(footer[sizeof(uint32_t)]);
  if ((flags & reserved_flags) != 0) return bad("unknown flags");
  const size_t step = (flags & has_checksums) != 0 ? entry_size + checksum_size : entry_size;
  const uint64_t table_size = frame_header_size + count * step + frame_table_footer_size;
  if (table_size > archive.size()) return bad("it is longer than the archive");
  const auto table = archive.last(static_cast<size_t>(table_size));
  if (number_at(table, 0) != frame_table_frame_magic || number_at(table, 4) != table_size - frame_header_size)
    return bad("its frame is of another size");
  auto rest = archive.first(archive.size() - table.size());
  frames_.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    const uint32_t packed = number_at(table, frame_header_size + i * step);
    const uint32_t size = number_at(table, frame_header_size + i * step + sizeof packed);
    if (packed > rest.size()) return bad("the frames are longer than the archive");
    if (size > size_limit - size_) return too_large(size_limit);
    frames_.push_back({.packed = rest.first(packed), .begin = size_, .size = size});
    rest = rest.subspan(packed);
    size_ += size;
  }
  return rest.empty() ? Outcome<void>() : bad("there is more between the frames and the table");
}

Outcome<std::shared_ptr<Frames>> Frames::open(std::span<const std::byte> archive, uint64_t size_limit) {
  std::shared_ptr<Frames> frames(new Frames);  // the constructor is private
  if (auto read = frames->read_table(archive, size_limit); !read) return std::unexpected(std::move(read.error()));
  frames->memory_ = allocate_pages(frames->size_);
  frames->context_.reset(ZSTD_createDCtx());
  if (frames->memory_ == nullptr || frames->context_ == nullptr)
    return refuse(ENOMEM, "there is no memory to unpack the archive");
  return frames;
}

Result<void> Frames::unpack(Frame& frame) {
  if (frame.filled) return {};
  const size_t size = ZSTD_decompressDCtx(context_.get(), memory_.get() + frame.begin, frame.size, frame.packed.data(),
                                          frame.packed.size());
  if (ZSTD_isError(size) != 0 || size != frame.size) return fail(EIO);
  frame.filled = true;
  ++filled_;
  return {};
}

void Frames::release(std::span<const std::byte> memory) {
  constexpr uintptr_t page = 4096;
  const auto begin = reinterpret_cast<uintptr_t>(memory.data());
  const uintptr_t first = (begin + page - 1) / page * page, end = (begin + memory.size()) / page * page;
  if (end > first) host::discard(first, end - first);
}

Result<void> Frames::fill(std::span<const std::byte> memory) {
  const auto begin = static_cast<uint64_t>(memory.data() - memory_.get());
  auto frame = std::ranges::upper_bound(frames_, begin, {}, [](const Frame& one) { return one.begin + one.size; });
  for (; frame != frames_.end() && frame->begin < begin + memory.size(); ++frame) OSP_TRY(unpack(*frame));
  return {};
}

}  // namespace osp::native
