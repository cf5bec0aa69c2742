#include "pip/store/pack_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>

#include "base/log.h"
#include "pip/store/host_io.h"
#include "pip/store/pack_record.h"
#include "pip/wire.h"

namespace osp::pip::store {
namespace {

constexpr std::string_view suffix = ".pack";
constexpr std::string_view synced_key = "spacks";  // up to where all packs are known to be on the disk
constexpr char index_prefix = 'c';

std::string index_key(const ChunkId& id) { return index_prefix + std::string(id.view()); }
ChunkId id_of(std::string_view key) { return ChunkId::from(key.substr(1)); }

// 0: this is no pack's name.
uint32_t number_of(std::string_view name) {
  uint32_t number = 0;
  if (!name.ends_with(suffix)) return 0;
  name.remove_suffix(suffix.size());
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number, 16);
  return error == std::errc() && end == name.data() + name.size() ? number : 0;
}

}  // namespace

std::string PackFiles::path(uint32_t pack) const { return fmt::format("{}/{:08x}{}", directory_, pack, suffix); }

std::string PackFiles::encode(const Place& place) {
  std::string value;
  Writer writer(value);
  writer.u32(place.pack), writer.u64(place.offset), writer.u32(place.size);
  return value;
}

Result<PackFiles::Place> PackFiles::decode(std::string_view value) {
  Reader reader(value);
  Place place;
  place.pack = reader.u32(), place.offset = reader.u64(), place.size = reader.u32();
  if (!reader.finished() || place.size > pack_header_size + ChunkStore::most) return fail(EBADMSG);
  return place;
}

Result<std::unique_ptr<PackFiles>> PackFiles::create(std::string directory, MetadataStore& index, bool is_after_crash) {
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return fail(errno);
  std::unique_ptr<PackFiles> packs(new PackFiles(std::move(directory), index));
  OSP_TRY(packs->load());
  OSP_TRY(is_after_crash ? packs->recover() : packs->sync_rest());
  return packs;
}

Result<void> PackFiles::load() {
  DIR* const directory = opendir(directory_.c_str());
  if (directory == nullptr) return fail(errno);
  const std::unique_ptr<DIR, int (*)(DIR*)> closes(directory, closedir);
  while (const dirent* entry = readdir(directory)) {
    const uint32_t number = number_of(entry->d_name);
    if (number == 0) continue;
    HostFd fd(::open(path(number).c_str(), O_RDONLY | O_CLOEXEC));
    struct stat s {};
    if (fd.get() < 0 || fstat(fd.get(), &s) != 0) return fail(errno);
    packs_[number] = {.fd = std::move(fd), .size = static_cast<uint64_t>(s.st_size)};
  }
  return {};
}

Result<PackFiles::Place> PackFiles::synced() {
  OSP_ASSIGN(const auto mark, index_.get(synced_key));
  return mark ? decode(*mark) : Place{};
}

// What an earlier process wrote and did not sync, since it was killed.
Result<void> PackFiles::sync_rest() {
  OSP_ASSIGN(const Place mark, synced());
  for (auto pack = packs_.lower_bound(mark.pack); pack != packs_.end(); ++pack)
    if (pack->second.size > mark.offset || pack->first > mark.pack)
      if (fdatasync(pack->second.fd.get()) != 0) return fail(errno);
  return {};
}

Result<void> PackFiles::recover() {
  OSP_ASSIGN(const Place mark, synced());
  Batch forget;
  OSP_TRY(for_each(index_, std::string(1, index_prefix), [&](auto key, auto value) -> Result<void> {
    const auto place = decode(value);
    const bool is_synced =
        place && (place->pack < mark.pack || (place->pack == mark.pack && place->offset < mark.offset));
    if (!is_synced && (!place || !read(id_of(key), *place))) forget.erase(std::string(key));
    return {};
  }));
  if (forget.is_empty()) return {};
  log::info("store", "{} chunks that were never synced are gone", forget.changes().size());
  return index_.write(forget);
}

Result<void> PackFiles::begin_pack() {
  if (active_ != 0) OSP_TRY(sync());
  OSP_ASSIGN(const Place mark, synced());  // it may speak of one that is gone: its number is not used again
  const uint32_t number = std::max(packs_.empty() ? 0 : packs_.rbegin()->first, mark.pack) + 1;
  HostFd fd(::open(path(number).c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (fd.get() < 0) return fail(errno);
  auto begun = write_at(fd.get(), 0, std::string_view(pack_magic.data(), pack_start));
  if (begun) begun = sync_directory(directory_);
  if (!begun) {
    unlink(path(number).c_str());
    return begun;
  }
  packs_[number] = {.fd = std::move(fd), .size = pack_start};
  active_ = number;
  return {};
}

Result<PackFiles::Place> PackFiles::append(const ChunkId& id, std::string_view contents) {
  if (active_ == 0 || packs_[active_].size >= most_in_pack) OSP_TRY(begin_pack());
  std::string record;
  append_pack_record(id, contents, record);
  Pack& pack = packs_[active_];
  OSP_TRY(write_at(pack.fd.get(), pack.size, record));
  const Place place{.pack = active_, .offset = pack.size, .size = static_cast<uint32_t>(record.size())};
  pack.size += record.size();
  is_dirty_ = true;
  return place;
}

Result<std::optional<PackFiles::Place>> PackFiles::find(const ChunkId& id) {
  OSP_ASSIGN(const auto value, index_.get(index_key(id)));
  if (!value) return std::nullopt;
  OSP_ASSIGN(const Place place, decode(*value));
  return place;
}

Result<ChunkId> PackFiles::put(std::string_view contents) {
  if (contents.size() > most) return fail(EMSGSIZE);
  const ChunkId id = ChunkId::of(contents);
  OSP_ASSIGN(const auto there, find(id));
  if (there) return id;
  OSP_ASSIGN(const Place place, append(id, contents));
  Batch batch;
  batch.put(index_key(id), encode(place));
  OSP_TRY(index_.write(batch));
  return id;
}

Result<std::string> PackFiles::read(const ChunkId& id, const Place& place) {
  const auto pack = packs_.find(place.pack);
  if (pack == packs_.end()) return fail(EBADMSG);
  std::string record(place.size, '\0');
  OSP_ASSIGN(const size_t size,
             read_at(pack->second.fd.get(), place.offset, std::as_writable_bytes(std::span(record))));
  if (size != record.size()) return fail(EBADMSG);
  return read_pack_record(id, record);
}

Result<ChunkPtr> PackFiles::get(const ChunkId& id) {
  OSP_ASSIGN(const auto place, find(id));
  if (!place) return fail(ENOENT);
  OSP_ASSIGN(std::string contents, read(id, *place));
  return std::make_shared<const std::string>(std::move(contents));
}

Result<bool> PackFiles::has(const ChunkId& id) {
  OSP_ASSIGN(const auto place, find(id));
  return place.has_value();
}

Result<void> PackFiles::sync() {
  if (has_failed_) return fail(EIO);
  if (!is_dirty_) return {};
  const Pack& pack = packs_[active_];
  if (fdatasync(pack.fd.get()) != 0) {
    const int why = errno;
    has_failed_ = true;  // the next call would succeed, and what failed be lost
    return fail(why);
  }
  is_dirty_ = false;
  Batch batch;
  batch.put(std::string(synced_key), encode({.pack = active_, .offset = pack.size}));
  return index_.write(batch);
}

Result<std::map<uint32_t, uint64_t>> PackFiles::drop_unwanted(const std::function<bool(const ChunkId&)>& is_wanted,
                                                              Swept& swept) {
  constexpr size_t at_once = 4096;
  std::map<uint32_t, uint64_t> live;  // bytes, by pack
  Batch batch;
  OSP_TRY(for_each(index_, std::string(1, index_prefix), [&](auto key, auto value) -> Result<void> {
    const auto place = decode(value);
    if (place && is_wanted(id_of(key))) {
      live[place->pack] += place->size;
      return {};
    }
    ++swept.chunks;
    batch.erase(std::string(key));
    if (batch.changes().size() < at_once) return {};
    return index_.write(std::exchange(batch, {}));
  }));
  OSP_TRY(index_.write(batch));
  return live;
}

Result<void> PackFiles::move_out_of(uint32_t from) {
  Batch moved;
  OSP_TRY(for_each(index_, std::string(1, index_prefix), [&](auto key, auto value) -> Result<void> {
    const auto place = decode(value);
    if (!place || place->pack != from) return {};
    OSP_ASSIGN(const std::string contents, read(id_of(key), *place));
    OSP_ASSIGN(const Place to, append(id_of(key), contents));
    moved.put(std::string(key), encode(to));
    return {};
  }));
  OSP_TRY(sync());
  return index_.write(moved);
}

Result<void> PackFiles::remove(uint32_t pack) {
  OSP_TRY(index_.sync());  // no key must lead there any more, whatever happens
  if (unlink(path(pack).c_str()) != 0) return fail(errno);
  packs_.erase(pack);
  return {};
}

Result<ChunkStore::Swept> PackFiles::sweep(const std::function<bool(const ChunkId&)>& is_wanted) {
  Swept swept;
  OSP_ASSIGN(const auto live, drop_unwanted(is_wanted, swept));
  std::vector<uint32_t> dead;
  for (const auto& [number, pack] : packs_) {
    const auto found = live.find(number);
    const uint64_t alive = found == live.end() ? 0 : found->second;
    // Small ones are put together, so that not every start of a server leaves a file for good.
    if (alive < most_in_pack / 2 && (alive < pack.size / 2 || packs_.size() > 16)) dead.push_back(number);
  }
  if (dead.empty()) return swept;
  const uint64_t before = stored_bytes();
  OSP_TRY(sync());
  active_ = 0;  // what stays goes to a new pack
  for (const uint32_t number : dead) {
    OSP_TRY(move_out_of(number));
    OSP_TRY(remove(number));
  }
  swept.bytes = before - std::min(before, stored_bytes());
  return swept;
}

Result<void> PackFiles::verify(const std::function<void(const std::string& what)>& wrong,
                               const std::function<void(uint64_t bytes)>& progress) {
  return for_each(index_, std::string(1, index_prefix), [&](auto key, auto value) -> Result<void> {
    const ChunkId id = id_of(key);
    const auto place = decode(value);
    const auto contents = place ? read(id, *place) : std::unexpected(place.error());
    if (!contents)
      wrong(fmt::format("{}: the chunk {} is damaged ({})", place ? path(place->pack) : directory_, id.text(),
                        describe(contents.error())));
    progress(place ? place->size : 0);
    return {};
  });
}

uint64_t PackFiles::stored_bytes() const {
  uint64_t bytes = 0;
  for (const auto& [number, pack] : packs_) bytes += pack.size;
  return bytes;
}

}  // namespace osp::pip::store
