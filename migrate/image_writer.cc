#include "migrate/image_writer.h"

#include <cstring>

#include "migrate/manifest_codec.h"

namespace osp::migrate {
namespace {

using format::page_size;

bool is_zero_page(const std::byte* page) {
  constexpr size_t words = 8;
  for (size_t at = 0; at < page_size; at += words * sizeof(uint64_t)) {
    std::array<uint64_t, words> chunk;
    std::memcpy(chunk.data(), page + at, sizeof chunk);
    uint64_t any = 0;
    for (const uint64_t word : chunk) any |= word;
    if (any != 0) return false;
  }
  return true;
}

bool valid(const WriterOptions& options) {
  return options.frame_size >= page_size && options.frame_size <= format::max_frame_size &&
         options.frame_size % page_size == 0;
}

format::Header make_header(const WriterOptions& options) {
  format::Header header;
  header.created_ns = options.created_ns;
  header.max_frame_size = options.frame_size;
  if (options.mappable) header.optional_features |= format::feature_mappable;
  if (options.parent) {
    header.parent_kind = format::parent_digest;
    std::memcpy(header.parent.data(), options.parent->data(), options.parent->size());
  }
  header.checksum = format::checksum_of(header);
  return header;
}

}  // namespace

ImageWriter::ImageWriter(std::unique_ptr<Sink> sink, const WriterOptions& options, FrameEncoder encoder)
    : sink_(std::move(sink)),
      options_(options),
      encoder_(std::move(encoder)),
      header_(make_header(options)),
      frame_(options.frame_size) {
  runs_.reserve(format::max_runs);
  zero_runs_.reserve(format::max_runs);
}

Result<ImageWriter> ImageWriter::create(std::unique_ptr<Sink> sink, const WriterOptions& options) {
  if (!valid(options)) return fail(EINVAL);
  OSP_ASSIGN(auto encoder, FrameEncoder::create(options.mappable ? 0 : options.level, options.frame_size));
  ImageWriter writer(std::move(sink), options, std::move(encoder));
  OSP_TRY(writer.write(format::bytes_of(writer.header_)));
  return writer;
}

Result<void> ImageWriter::write(std::span<const std::byte> bytes) {
  if (failed_) return std::unexpected(*failed_);
  if (auto result = sink_->write(bytes); !result) {
    failed_ = result.error();
    return result;
  }
  position_ += bytes.size();
  return {};
}

Result<void> ImageWriter::write_manifest(const Manifest& manifest) {
  if (failed_) return std::unexpected(*failed_);
  if (state_ != State::manifest) return fail(EINVAL);
  OSP_ASSIGN(const Bytes bytes, encode(manifest));
  format::SectionEntry& section = sections_.emplace_back();
  section.kind = static_cast<uint32_t>(format::SectionKind::manifest);
  section.flags = format::section_required;
  section.offset = position_;
  section.size = bytes.size();
  Hasher hasher;
  hasher.update(bytes);
  section.hash = hasher.digest();
  OSP_TRY(write(bytes));
  format::SectionEntry& pages = sections_.emplace_back();
  pages.kind = static_cast<uint32_t>(format::SectionKind::pages);
  pages.flags = format::section_required;
  pages.offset = position_;
  state_ = State::pages;
  return {};
}

Result<void> ImageWriter::add_pages(uint32_t space, uint64_t offset, std::span<const std::byte> pages) {
  if (failed_) return std::unexpected(*failed_);
  if (state_ != State::pages || offset % page_size != 0 || pages.size() % page_size != 0) return fail(EINVAL);
  if (offset > format::address_end || pages.size() > format::address_end - offset) return fail(EINVAL);
  for (size_t at = 0; at < pages.size(); at += page_size) {
    const auto page = pages.subspan(at, page_size);
    const format::RunRecord run{offset + at, space, 1};
    if (is_zero_page(page.data())) {
      OSP_TRY(add_zero(run));
    } else {
      OSP_TRY(add_data(run, page));
    }
  }
  return {};
}

Result<void> ImageWriter::add_zero(const format::RunRecord& run) {
  if (extend_runs(zero_runs_, run)) return {};
  OSP_TRY(flush_zeros());
  extend_runs(zero_runs_, run);
  return {};
}

// A full frame is flushed at once, so there is always room for a page, and for its run: a frame has at most
// max_runs pages.
Result<void> ImageWriter::add_data(const format::RunRecord& run, std::span<const std::byte> page) {
  std::memcpy(frame_.data() + fill_, page.data(), page_size);
  fill_ += page_size;
  extend_runs(runs_, run);
  return fill_ == frame_.size() ? flush_frame() : Result<void>{};
}

Result<void> ImageWriter::flush_zeros() {
  if (zero_runs_.empty()) return {};
  format::FrameRecord frame;
  frame.codec = static_cast<uint16_t>(format::Codec::zero);
  return add_to_index(frame, zero_runs_);
}

Result<void> ImageWriter::flush_frame() {
  if (fill_ == 0) return {};
  if (options_.mappable) {
    static constexpr std::array<std::byte, page_size> padding{};
    OSP_TRY(write(std::span(padding).first((page_size - position_ % page_size) % page_size)));
  }
  const EncodedFrame encoded = encoder_.encode(std::span(frame_).first(fill_));
  format::FrameRecord frame;
  frame.offset = position_;
  frame.stored_size = static_cast<uint32_t>(encoded.stored.size());
  frame.raw_size = static_cast<uint32_t>(fill_);
  frame.checksum = hash64(encoded.stored);
  frame.codec = static_cast<uint16_t>(encoded.codec);
  OSP_TRY(write(encoded.stored));
  fill_ = 0;
  return add_to_index(frame, runs_);
}

Result<void> ImageWriter::add_to_index(const format::FrameRecord& frame, std::vector<format::RunRecord>& runs) {
  format::FrameRecord record = frame;
  record.run_count = static_cast<uint32_t>(runs.size());
  // A block stands behind the frames it lists: what does not fit goes to the next one, which stands further on.
  index_.add(record, runs);
  runs.clear();
  return index_.has_room(format::max_runs) ? Result<void>{} : flush_index();
}

Result<void> ImageWriter::flush_index() {
  if (index_.empty()) return {};
  const uint64_t offset = position_;
  const format::IndexBlock block = index_.header();
  for (const auto bytes : {format::bytes_of(block), index_.records()}) {
    OSP_TRY(write(bytes));
    index_hash_.update(bytes);
  }
  index_.begin_next(offset);
  return {};
}

Result<void> ImageWriter::end_pages() {
  OSP_TRY(flush_frame());
  OSP_TRY(flush_zeros());
  OSP_TRY(flush_index());
  format::SectionEntry& section = sections_.back();
  section.size = position_ - section.offset;
  section.last_index_block = index_.last_block();
  section.frame_count = index_.frame_total();
  section.hash = index_hash_.digest();
  return {};
}

Result<Digest> ImageWriter::write_table() {
  const auto table = std::as_bytes(std::span(sections_));
  Hasher hasher;
  hasher.update(format::bytes_of(header_));
  hasher.update(table);
  format::Trailer trailer;
  trailer.table_offset = position_;
  trailer.section_count = static_cast<uint32_t>(sections_.size());
  trailer.file_size = position_ + table.size() + sizeof trailer;
  trailer.digest = hasher.digest();
  trailer.checksum = format::checksum_of(trailer);
  OSP_TRY(write(table));
  OSP_TRY(write(format::bytes_of(trailer)));
  return trailer.digest;
}

Result<Digest> ImageWriter::finish() {
  if (failed_) return std::unexpected(*failed_);
  if (state_ != State::pages) return fail(EINVAL);
  state_ = State::finished;
  OSP_TRY(end_pages());
  OSP_ASSIGN(const Digest digest, write_table());
  if (auto result = sink_->commit(); !result) {
    failed_ = result.error();
    return std::unexpected(result.error());
  }
  return digest;
}

}  // namespace osp::migrate
