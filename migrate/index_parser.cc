#include "migrate/index_parser.h"

#include <fmt/format.h>

#include <algorithm>

namespace osp::migrate {
namespace {

using format::FrameRecord;
using format::IndexBlock;
using format::RunRecord;

std::unexpected<ImageError> bad(std::string reason, uint64_t offset) {
  return refuse("index", std::move(reason), offset);
}

std::unexpected<ImageError> unreadable(Error error, uint64_t offset) {
  return bad(fmt::format("cannot be read: {}", describe(error)), offset);
}

// Takes a record off the front of `bytes`; false if there is not a whole one.
template <class T>
bool take(std::span<const std::byte>& bytes, T& record) {
  if (bytes.size() < sizeof record) return false;
  std::memcpy(&record, bytes.data(), sizeof record);
  bytes = bytes.subspan(sizeof record);
  return true;
}

// What is wrong with a frame record by itself, or null.
const char* fault_of(const FrameRecord& record, const format::Header& header) {
  const bool zero = record.codec == static_cast<uint16_t>(format::Codec::zero);
  const bool raw = record.codec == static_cast<uint16_t>(format::Codec::raw);
  if (record.codec > static_cast<uint16_t>(format::Codec::zstd)) return "a frame has an unknown codec";
  if (record.reserved != 0) return "a frame record's reserved field is not 0";
  if (record.run_count == 0 || record.run_count > format::max_runs) return "a frame has an impossible count of runs";
  if (zero) {
    const bool empty = record.offset == 0 && record.stored_size == 0 && record.raw_size == 0 && record.checksum == 0;
    return empty ? nullptr : "a frame of zero pages has contents";
  }
  if (record.raw_size == 0 || record.raw_size > header.max_frame_size) return "a frame has an impossible size";
  if (record.stored_size == 0 || record.stored_size > record.raw_size) return "a frame has an impossible stored size";
  if (raw && record.stored_size != record.raw_size) return "a raw frame's two sizes differ";
  return nullptr;
}

}  // namespace

ImageResult<void> IndexParser::parse() {
  OSP_ASSIGN(const auto offsets, walk_chain());
  for (const uint64_t offset : offsets) OSP_TRY(parse_block(offset));
  if (cursor_ != section_end()) return bad("bytes of the page section belong to no frame", cursor_);
  if (index_.frames_.size() != section_.frame_count) return bad("frames are missing", section_.offset);
  if (hasher_.digest() != section_.hash) return bad("the hash of the index is wrong", section_.offset);
  return {};
}

ImageResult<IndexBlock> IndexParser::read_header(uint64_t offset) {
  IndexBlock block;
  if (offset < section_.offset || offset > section_end() || section_end() - offset < sizeof block)
    return bad("an index block lies outside the page section", offset);
  if (const auto result = source_.read(offset, format::writable_bytes_of(block)); !result)
    return unreadable(result.error(), offset);
  if (block.magic != format::index_magic) return bad("there is no index block where one should be", offset);
  if (block.size > format::max_index_block || block.size > section_end() - offset - sizeof block)
    return bad("an index block is too large", offset);
  return block;
}

// The blocks' offsets in the order of the file.
ImageResult<std::vector<uint64_t>> IndexParser::walk_chain() {
  std::vector<uint64_t> offsets;
  for (uint64_t offset = section_.last_index_block; offset != 0;) {
    OSP_ASSIGN(const IndexBlock block, read_header(offset));
    offsets.push_back(offset);
    if (block.previous >= offset) return bad("the chain of index blocks does not go back", offset);
    offset = block.previous;
  }
  std::ranges::reverse(offsets);
  return offsets;
}

ImageResult<void> IndexParser::parse_block(uint64_t offset) {
  OSP_ASSIGN(const IndexBlock block, read_header(offset));
  std::vector<std::byte> records(block.size);
  if (const auto result = source_.read(offset + sizeof block, records); !result)
    return unreadable(result.error(), offset);
  if (block.checksum != format::checksum_of(block, records)) return bad("checksum of an index block is wrong", offset);
  hasher_.update(format::bytes_of(block));
  hasher_.update(records);
  const size_t frames_before = index_.frames_.size();
  if (block.first_frame != frames_before) return bad("an index block is out of order", offset);
  OSP_TRY(parse_records(offset + sizeof block, records));
  if (index_.frames_.size() - frames_before != block.frame_count)
    return bad("an index block does not hold as many frames as it says", offset);
  if (cursor_ != offset) return bad("bytes before an index block belong to no frame", cursor_);
  cursor_ = offset + sizeof block + block.size;
  return {};
}

ImageResult<void> IndexParser::parse_records(uint64_t offset, std::span<const std::byte> records) {
  const size_t size = records.size();
  while (!records.empty()) {
    const uint64_t at = offset + size - records.size();
    FrameRecord record;
    if (!take(records, record)) return bad("an index block ends inside a frame record", at);
    OSP_TRY(add_frame(at, record));
    Frame& frame = index_.frames_.back();
    uint64_t pages = 0;
    for (uint32_t i = 0; i < record.run_count; ++i) {
      RunRecord run;
      if (!take(records, run)) return bad("an index block ends inside a run record", at);
      OSP_TRY(add_run(at, run, frame, pages));
    }
    if (frame.codec != format::Codec::zero && pages * format::page_size != frame.raw_size)
      return bad("a frame's runs do not have as many pages as the frame", at);
  }
  return {};
}

ImageResult<void> IndexParser::add_frame(uint64_t at, const FrameRecord& record) {
  if (const char* fault = fault_of(record, header_)) return bad(fault, at);
  if (index_.frames_.size() >= UINT32_MAX || index_.runs_.size() > UINT32_MAX - format::max_runs)
    return bad("more frames or runs than this version can hold", at);
  if (record.codec != static_cast<uint16_t>(format::Codec::zero)) OSP_TRY(place_frame(at, record));
  Frame& frame = index_.frames_.emplace_back();
  frame.offset = record.offset;
  frame.checksum = record.checksum;
  frame.stored_size = record.stored_size;
  frame.raw_size = record.raw_size;
  frame.first_run = static_cast<uint32_t>(index_.runs_.size());
  frame.run_count = record.run_count;
  frame.codec = static_cast<format::Codec>(record.codec);
  return {};
}

ImageResult<void> IndexParser::place_frame(uint64_t at, const FrameRecord& record) {
  const bool mappable = (header_.optional_features & format::feature_mappable) != 0;
  if (mappable) {
    OSP_TRY(skip_padding());
    if (record.codec != static_cast<uint16_t>(format::Codec::raw))
      return bad("a compressed frame in a mappable image", at);
  }
  if (record.offset != cursor_) return bad("a frame does not follow the one before it", at);
  if (record.stored_size > section_end() - cursor_) return bad("a frame lies outside the page section", at);
  cursor_ += record.stored_size;
  return {};
}

ImageResult<void> IndexParser::skip_padding() {
  const uint64_t size = (format::page_size - cursor_ % format::page_size) % format::page_size;
  if (size > section_end() - cursor_) return bad("a frame lies outside the page section", cursor_);
  std::array<std::byte, format::page_size> buffer;
  const auto padding = std::span(buffer).first(static_cast<size_t>(size));
  if (const auto result = source_.read(cursor_, padding); !result) return unreadable(result.error(), cursor_);
  if (std::ranges::any_of(padding, [](std::byte byte) { return byte != std::byte{0}; }))
    return bad("padding before a frame is not zero", cursor_);
  cursor_ += size;
  return {};
}

ImageResult<void> IndexParser::add_run(uint64_t at, const RunRecord& record, Frame& frame, uint64_t& pages) {
  const uint64_t size = uint64_t{record.page_count} * format::page_size;
  if (record.page_count == 0 || record.offset % format::page_size != 0 || record.offset > format::address_end ||
      size > format::address_end - record.offset)
    return bad("a run of pages is not aligned, empty, or beyond the end of its space", at);
  Run& run = index_.runs_.emplace_back();
  run.offset = record.offset;
  run.space = record.space;
  run.page_count = record.page_count;
  run.frame = static_cast<uint32_t>(index_.frames_.size() - 1);
  const bool zero = frame.codec == format::Codec::zero;
  if (!zero && size > frame.raw_size - pages * format::page_size)
    return bad("a frame's runs have more pages than the frame", at);
  run.frame_offset = zero ? 0 : static_cast<uint32_t>(pages * format::page_size);
  if (!zero) pages += record.page_count;
  return {};
}

}  // namespace osp::migrate
