#include "image_fixture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace osp::migrate::test {
namespace {

constexpr uint64_t heap_start = 0x5555'0000'0000, stack_start = 0x7fff'0000'0000, library_start = 0x7f00'0000'0000;
constexpr uint64_t area_length = 4096 * page;
constexpr uint32_t process_space = 1, object_space = 2;

Area make_area(uint64_t start, AreaKind kind) {
  Area area;
  area.start = start;
  area.length = area_length;
  area.protection = 3;
  area.kind = kind;
  return area;
}

Thread make_thread(int tid) {
  Thread thread;
  thread.tid = tid;
  thread.name = "worker";
  thread.registers.rip = library_start + 7;
  thread.vector = {VectorFormat::fxsave, 3, Bytes(512, std::byte{5})};
  thread.pending.push_back({10, Bytes(128, std::byte{1})});
  return thread;
}

Process make_process() {
  Process process;
  process.pid = process.pgid = process.sid = 7;
  process.ppid = 1;
  process.space = process_space;
  process.program.argv = {"/bin/true", "", "caf\xe9"};  // arguments are bytes, not UTF-8
  process.program.comm = "true";
  process.name_space = "bind '#U' /\n";
  process.threads = {make_thread(7), make_thread(8)};
  process.areas = {make_area(heap_start, AreaKind::heap), make_area(library_start, AreaKind::file),
                   make_area(library_start + area_length, AreaKind::anonymous),
                   make_area(stack_start, AreaKind::stack)};
  process.areas[1].file = 0;
  process.dispositions = {{17, library_start, 0, 0, 0}};
  process.fds = {{0, 0, false}, {5, 1, true}};
  return process;
}

}  // namespace

Result<void> MemorySink::write(std::span<const std::byte> bytes) {
  if (bytes_.size() + bytes.size() > room_) return fail(ENOSPC);
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  return {};
}

Result<void> MemorySink::commit() {
  if (committed_ != nullptr) *committed_ = true;
  return {};
}

Manifest small_manifest() {
  Manifest manifest;
  manifest.interface_version = interface_version;
  manifest.core_version = "osp-core 0.1.0";
  manifest.created_ns = 1'795'000'000'000'000'000;
  manifest.processes = {make_process()};
  manifest.files = {{.server = "#U", .path = "usr/lib/libc.so.6", .name = "/usr/lib/libc.so.6", .mode = 0100755},
                    {.server = "#U", .path = "tmp/x", .name = "/tmp/x", .mode = 0100600, .contents = 0}};
  manifest.objects = {{.space = object_space, .kind = ObjectKind::unlinked_file, .name = "x", .size = area_length - 5}};
  manifest.pipes = {{.contents = Bytes(100, std::byte{'p'})}};
  Description unlinked;
  unlinked.comeback = Comeback::contents;
  unlinked.file = 1;
  Description pipe;
  pipe.kind = DescriptionKind::pipe;
  pipe.comeback = Comeback::contents;
  pipe.pipe = 0;
  manifest.descriptions = {unlinked, pipe};
  return manifest;
}

Pages some_pages(std::mt19937_64& random, size_t count) {
  constexpr std::array<std::pair<uint32_t, uint64_t>, 5> places = {{{process_space, heap_start},
                                                                    {process_space, library_start},
                                                                    {process_space, library_start + area_length},
                                                                    {process_space, stack_start},
                                                                    {object_space, 0}}};
  Pages pages;
  while (pages.size() < count) {
    const auto& [space, start] = places[random() % places.size()];
    uint64_t offset = start + random() % (area_length / page) * page;
    for (uint64_t n = random() % 8 + 1; n > 0 && offset < start + area_length; --n, offset += page) {
      Bytes bytes(page);
      const uint64_t kind = random() % 3;  // zero, compressible, random
      if (kind == 1) std::ranges::fill(bytes, static_cast<std::byte>(random() % 255 + 1));
      if (kind == 2) std::ranges::generate(bytes, [&] { return static_cast<std::byte>(random()); });
      pages.insert_or_assign({space, offset}, std::move(bytes));
    }
  }
  return pages;
}

Bytes write_image(const Pages& pages, const WriterOptions& options) {
  Bytes bytes;
  auto writer = ImageWriter::create(std::make_unique<MemorySink>(bytes), options);
  EXPECT_TRUE(writer);
  EXPECT_TRUE(writer->write_manifest(small_manifest()));
  for (const auto& [place, contents] : pages) EXPECT_TRUE(writer->add_pages(place.first, place.second, contents));
  EXPECT_TRUE(writer->finish());
  return bytes;
}

ImageResult<ImageReader> open_bytes(std::span<const std::byte> bytes) {
  return ImageReader::open(std::make_unique<MemorySource>(bytes));
}

ImageResult<Contents> read_all(std::span<const std::byte> bytes) {
  OSP_ASSIGN(const ImageReader reader, open_bytes(bytes));
  auto loader = FrameLoader::create(reader);
  EXPECT_TRUE(loader);
  Contents contents{reader.manifest(), {}};
  for (const Frame& frame : reader.index().frames()) {
    OSP_ASSIGN(const auto raw, loader->read(frame));
    for (const uint32_t i : reader.index().runs_of(frame)) {
      const Run& run = reader.index().runs()[i];
      for (uint64_t at = 0; at < run.size(); at += page) {
        Bytes one(page);
        if (!raw.empty()) std::ranges::copy(raw.subspan(run.frame_offset + at, page), one.begin());
        contents.pages[{run.space, run.offset + at}] = std::move(one);
      }
    }
  }
  return contents;
}

void seal(Bytes& image) {
  format::Trailer trailer;
  std::byte* const end = image.data() + image.size() - sizeof trailer;
  std::memcpy(&trailer, end, sizeof trailer);
  std::vector<format::SectionEntry> table(trailer.section_count);
  std::memcpy(table.data(), image.data() + trailer.table_offset, table.size() * sizeof table[0]);
  for (format::SectionEntry& section : table) {
    auto bytes = std::span(image).subspan(section.offset, section.size);
    if (section.kind == static_cast<uint32_t>(format::SectionKind::pages)) {
      format::IndexBlock block;
      bytes = std::span(image).subspan(section.last_index_block);
      std::memcpy(&block, bytes.data(), sizeof block);
      bytes = bytes.first(sizeof block + block.size);
      block.checksum = format::checksum_of(block, bytes.subspan(sizeof block));
      std::memcpy(bytes.data(), &block, sizeof block);
    }
    Hasher hasher;
    hasher.update(bytes);
    section.hash = hasher.digest();
  }
  std::memcpy(image.data() + trailer.table_offset, table.data(), table.size() * sizeof table[0]);
  Hasher hasher;
  hasher.update(std::span(image).first(sizeof(format::Header)));
  hasher.update(std::as_bytes(std::span(table)));
  trailer.digest = hasher.digest();
  trailer.checksum = format::checksum_of(trailer);
  std::memcpy(end, &trailer, sizeof trailer);
}

}  // namespace osp::migrate::test
