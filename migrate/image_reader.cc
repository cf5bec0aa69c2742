#include "migrate/image_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>

#include "migrate/manifest_codec.h"
#include "migrate/validate.h"

namespace osp::migrate {
namespace {

using format::Header;
using format::SectionEntry;
using format::SectionKind;
using format::Trailer;

constexpr size_t hash_piece = size_t{64} << 10;

ImageResult<void> check_header(const Header& header) {
  if (header.checksum != format::checksum_of(header)) return refuse("header", "its checksum is wrong");
  if (header.major != format::major_version)
    return refuse("header", fmt::format("format version {}.{}; this is for version {}", header.major, header.minor,
                                        format::major_version));
  if (header.required_features != 0)
    return refuse("header", fmt::format("needs features {:#x}, which this version lacks", header.required_features));
  if (header.header_size != sizeof header) return refuse("header", "its size is not 128");
  if (header.page_size != format::page_size)
    return refuse("header", fmt::format("made for pages of {} bytes", header.page_size));
  if (header.max_frame_size < format::page_size || header.max_frame_size > format::max_frame_size)
    return refuse("header", "its largest frame size is impossible");
  if (header.parent_kind > format::parent_digest) return refuse("header", "it names its parent in an unknown way");
  return {};
}

}  // namespace

ImageResult<ImageReader> ImageReader::open(std::unique_ptr<Source> source) try {
  ImageReader reader;
  reader.source_ = std::move(source);
  OSP_TRY(reader.read_header());
  OSP_TRY(reader.read_sections());
  for (const SectionEntry& section : reader.sections_) {
    if (section.kind == static_cast<uint32_t>(SectionKind::manifest)) {
      OSP_TRY(reader.read_manifest(section));
    } else if (section.kind == static_cast<uint32_t>(SectionKind::pages)) {
      OSP_ASSIGN(reader.index_, PageIndex::read(*reader.source_, reader.header_, section));
    } else {
      OSP_TRY(reader.check_hash(section));
    }
  }
  OSP_TRY(validate(reader.manifest_));
  OSP_TRY(validate_pages(reader.manifest_, reader.index_));
  return reader;
} catch (const std::bad_alloc&) {
  return refuse("file", "not enough memory to read it");
}

ImageResult<ImageReader> ImageReader::open_file(const std::string& path) {
  auto source = FileSource::open(path);
  if (!source && source.error() == Error(EINVAL)) return refuse("file", "not a regular file");
  if (!source) return refuse("file", describe(source.error()));
  return open(std::move(*source));
}

std::optional<Digest> ImageReader::parent() const {
  if (header_.parent_kind != format::parent_digest) return std::nullopt;
  Digest digest;
  std::memcpy(digest.data(), header_.parent.data(), digest.size());
  return digest;
}

ImageResult<void> ImageReader::read_piece(const char* section, uint64_t offset, std::span<std::byte> into) const {
  if (const auto result = source_->read(offset, into); !result)
    return refuse(section, fmt::format("cannot be read: {}", describe(result.error())), offset);
  return {};
}

ImageResult<void> ImageReader::read_header() {
  const uint64_t size = source_->size();
  std::array<char, 8> magic{};
  if (size >= magic.size()) OSP_TRY(read_piece("header", 0, std::as_writable_bytes(std::span(magic))));
  if (magic != format::magic) return refuse("header", "this is not an Osprey image");
  if (size < sizeof(Header) + sizeof(Trailer)) return refuse("file", "it is cut short", size);
  OSP_TRY(read_piece("header", 0, format::writable_bytes_of(header_)));
  return check_header(header_);
}

ImageResult<Trailer> ImageReader::read_trailer() {
  const uint64_t size = source_->size();
  const uint64_t offset = size - sizeof(Trailer);
  Trailer trailer;
  OSP_TRY(read_piece("sections", offset, format::writable_bytes_of(trailer)));
  if (trailer.magic != format::end_magic)
    return refuse("file", "it is cut short, was never finished, or has something behind its end", size);
  if (trailer.checksum != format::checksum_of(trailer))
    return refuse("sections", "the trailer's checksum is wrong", offset);
  if (trailer.file_size != size)
    return refuse("file", fmt::format("it has {} bytes, but should have {}", size, trailer.file_size), size);
  const uint64_t table_size = uint64_t{trailer.section_count} * sizeof(SectionEntry);
  if (trailer.section_count > format::max_sections || trailer.table_offset > offset ||
      offset - trailer.table_offset != table_size)
    return refuse("sections", "the section table is not where the trailer says", offset);
  return trailer;
}

ImageResult<void> ImageReader::read_sections() {
  OSP_ASSIGN(const Trailer trailer, read_trailer());
  sections_.resize(trailer.section_count);
  OSP_TRY(read_piece("sections", trailer.table_offset, std::as_writable_bytes(std::span(sections_))));
  Hasher hasher;
  hasher.update(format::bytes_of(header_));
  hasher.update(std::as_bytes(std::span(sections_)));
  digest_ = hasher.digest();
  if (digest_ != trailer.digest) return refuse("sections", "the digest of the image is wrong", trailer.table_offset);
  return check_layout(trailer);
}

// The sections follow one another from the header to the table; exactly one manifest, exactly one of pages.
ImageResult<void> ImageReader::check_layout(const Trailer& trailer) const {
  uint64_t cursor = sizeof(Header);
  size_t manifests = 0, page_sections = 0;
  for (const SectionEntry& section : sections_) {
    if (section.offset != cursor || section.size > trailer.table_offset - cursor)
      return refuse("sections", "a section is not where it should be", section.offset);
    cursor += section.size;
    const bool manifest = section.kind == static_cast<uint32_t>(SectionKind::manifest);
    const bool pages = section.kind == static_cast<uint32_t>(SectionKind::pages);
    manifests += manifest ? 1 : 0;
    page_sections += pages ? 1 : 0;
    if (!manifest && !pages && (section.flags & format::section_required) != 0)
      return refuse("sections", fmt::format("section kind {} is needed, and unknown to this version", section.kind),
                    section.offset);
  }
  if (cursor != trailer.table_offset) return refuse("sections", "bytes belong to no section", cursor);
  if (manifests != 1 || page_sections != 1) return refuse("sections", "not one manifest and one page section");
  return {};
}

// Of a section that this version does not know.
ImageResult<void> ImageReader::check_hash(const SectionEntry& section) const {
  std::vector<std::byte> buffer(static_cast<size_t>(std::min<uint64_t>(section.size, hash_piece)));
  Hasher hasher;
  for (uint64_t done = 0; done < section.size;) {
    const auto piece =
        std::span(buffer).first(static_cast<size_t>(std::min<uint64_t>(section.size - done, hash_piece)));
    OSP_TRY(read_piece("optional section", section.offset + done, piece));
    hasher.update(piece);
    done += piece.size();
  }
  if (hasher.digest() != section.hash) return refuse("optional section", "its hash is wrong", section.offset);
  return {};
}

ImageResult<void> ImageReader::read_manifest(const SectionEntry& section) {
  if (section.size > max_manifest_size) return refuse("manifest", "it is too large", section.offset);
  Bytes bytes(static_cast<size_t>(section.size));
  OSP_TRY(read_piece("manifest", section.offset, bytes));
  Hasher hasher;
  hasher.update(bytes);
  if (hasher.digest() != section.hash) return refuse("manifest", "its hash is wrong", section.offset);
  auto manifest = decode(bytes);
  if (!manifest) return refuse("manifest", manifest.error().reason, section.offset);
  manifest_ = std::move(*manifest);
  return {};
}

FrameLoader::FrameLoader(const ImageReader& image, FrameDecoder decoder)
    : image_(&image),
      decoder_(std::move(decoder)),
      stored_(image.header().max_frame_size),
      raw_(image.header().max_frame_size) {}

Result<FrameLoader> FrameLoader::create(const ImageReader& image) {
  OSP_ASSIGN(auto decoder, FrameDecoder::create());
  return FrameLoader(image, std::move(decoder));
}

ImageResult<std::span<const std::byte>> FrameLoader::read(const Frame& frame) {
  const auto stored = std::span(stored_).first(frame.stored_size);
  if (const auto result = image_->source().read(frame.offset, stored); !result)
    return refuse("pages", fmt::format("cannot be read: {}", describe(result.error())), frame.offset);
  if (frame.codec == format::Codec::zero) return std::span<const std::byte>();
  if (hash64(stored) != frame.checksum) return refuse("pages", "a frame's checksum is wrong", frame.offset);
  if (frame.codec == format::Codec::raw) return stored;
  const auto raw = std::span(raw_).first(frame.raw_size);
  if (!decoder_.decode(stored, raw)) return refuse("pages", "a frame cannot be decompressed", frame.offset);
  return raw;
}

ImageResult<void> FrameLoader::load(const Frame& frame, PageTarget& target) {
  OSP_ASSIGN(const auto pages, read(frame));
  const bool zero = frame.codec == format::Codec::zero;
  for (const uint32_t i : image_->index().runs_of(frame)) {
    const Run& run = image_->index().runs()[i];
    std::byte* const place = target.place(run, zero);
    if (place == nullptr) continue;
    if (zero) {
      std::memset(place, 0, static_cast<size_t>(run.size()));
    } else {
      std::memcpy(place, pages.data() + run.frame_offset, static_cast<size_t>(run.size()));
    }
  }
  return {};
}

}  // namespace osp::migrate
