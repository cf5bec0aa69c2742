#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "migrate/hash.h"

// The fixed parts of an image file, as docs/image.md lays them down. All integers are little-endian; these
// structs have no padding, so their bytes are the file's.
namespace osp::migrate::format {

static_assert(std::endian::native == std::endian::little);

inline constexpr std::array<char, 8> magic = {'\x89', 'O', 'S', 'P', 'I', 'M', 'G', '\n'};
inline constexpr std::array<char, 8> end_magic = {'O', 'S', 'P', 'E', 'N', 'D', '\r', '\n'};
inline constexpr std::array<char, 4> index_magic = {'O', 'I', 'D', 'X'};

inline constexpr uint16_t major_version = 1;
inline constexpr uint16_t minor_version = 0;
inline constexpr uint32_t page_size = 4096;
inline constexpr uint32_t max_frame_size = 1u << 20;  // of a frame's pages, bytes
inline constexpr uint32_t max_runs = max_frame_size / page_size;
inline constexpr uint32_t max_index_block = 64u << 10;  // of an index block's records, bytes
inline constexpr uint32_t max_sections = 64;
inline constexpr uint64_t address_end = uint64_t{1} << 47;  // page spaces end here

struct Header {
  std::array<char, 8> magic = format::magic;
  uint16_t major = major_version;
  uint16_t minor = minor_version;
  uint32_t header_size = 128;
  uint32_t page_size = format::page_size;
  uint32_t required_features = 0;  // a reader that does not know one of these refuses
  uint32_t optional_features = 0;
  uint32_t max_frame_size = format::max_frame_size;
  int64_t created_ns = 0;
  uint32_t parent_kind = 0;  // ParentKind
  uint32_t reserved0 = 0;
  std::array<std::byte, 32> parent{};
  std::array<std::byte, 40> reserved1{};
  uint64_t checksum = 0;  // XXH3-64 of what is before
};
static_assert(sizeof(Header) == 128 && std::has_unique_object_representations_v<Header>);

inline constexpr uint32_t parent_none = 0, parent_digest = 1;  // Header::parent_kind
inline constexpr uint32_t feature_mappable = 1;  // optional: every frame is raw and page-aligned in the file

enum class SectionKind : uint32_t { manifest = 1, pages = 2 };
inline constexpr uint32_t section_required = 1;  // SectionEntry::flags

struct SectionEntry {
  uint32_t kind = 0;
  uint32_t flags = 0;
  uint64_t offset = 0;
  uint64_t size = 0;
  uint64_t last_index_block = 0;  // pages: offset of it, or 0
  uint64_t frame_count = 0;       // pages
  Digest hash{};                  // manifest: of its bytes; pages: of all index blocks, in the order of the file
  uint64_t reserved = 0;
};
static_assert(sizeof(SectionEntry) == 64 && std::has_unique_object_representations_v<SectionEntry>);

struct Trailer {
  uint64_t table_offset = 0;
  uint32_t section_count = 0;
  uint32_t reserved0 = 0;
  uint64_t file_size = 0;
  Digest digest{};  // of the header and the section table: names the image
  uint64_t reserved1 = 0;
  uint64_t checksum = 0;  // XXH3-64 of what is before
  std::array<char, 8> magic = end_magic;
};
static_assert(sizeof(Trailer) == 64 && std::has_unique_object_representations_v<Trailer>);

struct IndexBlock {
  std::array<char, 4> magic = index_magic;
  uint32_t size = 0;      // of the records that follow
  uint64_t previous = 0;  // offset of the index block before, or 0
  uint64_t first_frame = 0;
  uint64_t frame_count = 0;
  uint64_t checksum = 0;  // XXH3-64 of what is before, then the records
};
static_assert(sizeof(IndexBlock) == 40 && std::has_unique_object_representations_v<IndexBlock>);

enum class Codec : uint16_t { zero = 0, raw = 1, zstd = 2 };

struct FrameRecord {    // followed by run_count RunRecords
  uint64_t offset = 0;  // of the stored bytes; zero frames: 0
  uint32_t stored_size = 0;
  uint32_t raw_size = 0;
  uint64_t checksum = 0;  // XXH3-64 of the stored bytes
  uint32_t run_count = 0;
  uint16_t codec = 0;
  uint16_t reserved = 0;
};
static_assert(sizeof(FrameRecord) == 32 && std::has_unique_object_representations_v<FrameRecord>);

struct RunRecord {
  uint64_t offset = 0;  // of the first page in its space; an address in a process's
  uint32_t space = 0;
  uint32_t page_count = 0;
};
static_assert(sizeof(RunRecord) == 16 && std::has_unique_object_representations_v<RunRecord>);

template <class T>
requires std::has_unique_object_representations_v<T> std::span<const std::byte> bytes_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

template <class T>
requires std::has_unique_object_representations_v<T> std::span<std::byte> writable_bytes_of(T& value) {
  return std::as_writable_bytes(std::span(&value, 1));
}

template <class T>
uint64_t checksum_of(const T& value) {  // of all members before `checksum`
  return hash64(bytes_of(value).first(offsetof(T, checksum)));
}

inline uint64_t checksum_of(const IndexBlock& block, std::span<const std::byte> records) {
  // Two steps, so that neither side needs the block in one piece.
  const std::array<uint64_t, 2> parts = {hash64(bytes_of(block).first(offsetof(IndexBlock, checksum))),
                                         hash64(records)};
  return hash64(std::as_bytes(std::span(parts)));
}

}  // namespace osp::migrate::format
