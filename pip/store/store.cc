#include "pip/store/store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "base/log.h"
#include "pip/store/cached_chunks.h"
#include "pip/store/content.h"
#include "pip/store/host_io.h"
#include "pip/store/keys.h"
#include "pip/store/pack_files.h"
#include "pip/store/rocks_metadata.h"

namespace osp::pip::store {
namespace {

constexpr std::string_view format_text = "osp store 1\n";
constexpr std::string_view clean_word = "clean";
constexpr uint64_t taken_back = 1U << 20;  // numbers of versions that may have been seen and are lost
constexpr int64_t ns_per_s = 1'000'000'000;
constexpr uint64_t ids_at_once = 1024;

std::string number_value(uint64_t number) {
  std::string value;
  Writer(value).u64(number);
  return value;
}

// Another after each start of the machine.
std::string boot_id() { return read_file("/proc/sys/kernel/random/boot_id").value_or("?"); }

int64_t machine_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Identity Identity::of_process() { return {.uid = geteuid(), .gid = getegid()}; }

// But for what was begun to be made.
Result<bool> Store::is_empty(const std::string& directory) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error))
    if (const auto name = entry.path().filename(); name != "lock" && name != "format.new") return false;
  if (error) return fail(error.value());
  return true;
}

// Locks the directory, and sees that it is a store.
Result<void> Store::take(std::string& why) {
  const auto no = [&](int code, std::string text) {
    why = std::move(text);
    return fail(code);
  };
  if (options_.may_create && mkdir(directory_.c_str(), 0700) != 0 && errno != EEXIST)
    return no(errno, fmt::format("cannot make '{}': {}", directory_, strerror(errno)));
  const auto is_new = is_empty(directory_);
  if (!is_new)
    return no(is_new.error().code, fmt::format("cannot open '{}': {}", directory_, describe(is_new.error())));
  const std::string format = directory_ + "/format";
  if (*is_new && !options_.may_create)
    return no(ENOENT,
              fmt::format("'{}' is no store: it is empty; 'pipd --store' and 'pip store import' make one", directory_));
  const auto text = read_file(format);
  if (!*is_new && !text)
    return no(ENOTEMPTY, fmt::format("'{}' is no store, and is not empty: there is no '{}'", directory_, format));
  if (!*is_new && *text != format_text)
    return no(EPROTONOSUPPORT, fmt::format("'{}' is a store of another form ('{}'); this program knows '{}'",
                                           directory_, text->substr(0, text->find('\n')), format_text.substr(0, 11)));
  lock_ = HostFd(::open((directory_ + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (lock_.get() < 0) return no(errno, fmt::format("cannot open '{}/lock': {}", directory_, strerror(errno)));
  if (flock(lock_.get(), LOCK_EX | LOCK_NB) != 0)
    return no(EBUSY, fmt::format("'{}' is in use by another process; end it first", directory_));
  if (!*is_new) return {};
  if (const auto made = write_file(format, format_text); !made)
    return no(made.error().code, fmt::format("cannot write '{}': {}", format, describe(made.error())));
  return {};
}

Result<std::unique_ptr<Store>> Store::open(const std::string& directory, Options options, std::string& why) {
  std::unique_ptr<Store> store(new Store(directory, std::move(options)));
  OSP_TRY(store->take(why));
  why = fmt::format("cannot read the store '{}': the reasons are above; restore it from a copy", directory);
  OSP_ASSIGN(const bool has_metadata, store->may_begin_metadata(why));
  OSP_ASSIGN(store->metadata_, open_rocks_metadata(directory + "/metadata", !has_metadata));
  OSP_ASSIGN(store->is_after_crash_, store->has_crashed());
  OSP_ASSIGN(auto packs, PackFiles::create(directory + "/packs", *store->metadata_, store->is_after_crash_));
  store->chunks_ = std::make_unique<CachedChunks>(std::move(packs), chunk_cache);
  store->drafts_ = directory + "/drafts";
  OSP_TRY(store->load(store->is_after_crash_));
  OSP_TRY(store->note_boot());  // not before all is as it should be: else the next start would not look
  why.clear();
  return store;
}

// An empty one beside packs would say that nothing of them is needed.
Result<bool> Store::may_begin_metadata(std::string& why) const {
  const std::string metadata = directory_ + "/metadata", packs = directory_ + "/packs";
  std::error_code error;
  if (std::filesystem::exists(metadata + "/CURRENT", error)) return true;
  const auto pack = std::filesystem::directory_iterator(packs, error);
  if (error || pack == std::filesystem::directory_iterator()) return false;
  why = fmt::format("the store '{}' has packs, but no '{}': restore that from a copy", directory_, metadata);
  return fail(ENOENT);
}

Result<std::unique_ptr<Store>> Store::assemble(std::unique_ptr<MetadataStore> metadata,
                                               std::unique_ptr<ChunkStore> chunks, std::string drafts, Options options,
                                               bool is_after_crash) {
  std::unique_ptr<Store> store(new Store({}, std::move(options)));
  store->metadata_ = std::move(metadata);
  store->chunks_ = std::move(chunks);
  store->drafts_ = std::move(drafts);
  OSP_TRY(store->load(is_after_crash));
  return store;
}

Store::~Store() {
  if (!is_loaded_ || directory_.empty() || !sync() || !sync_drafts()) return;
  Batch batch;
  batch.put(key::setting("boot"), std::string(clean_word));
  if (!metadata_->write(batch) || !metadata_->sync()) log::warn("store", "{}: is not closed well", directory_);
}

// Whether the machine has ended since the store was last open, and not been closed.
Result<bool> Store::has_crashed() {
  OSP_ASSIGN(const auto before, metadata_->get(key::setting("boot")));
  return before && *before != clean_word && *before != boot_id();
}

Result<void> Store::note_boot() {
  Batch batch;
  batch.put(key::setting("boot"), boot_id());
  OSP_TRY(metadata_->write(batch));
  return metadata_->sync();
}

// What is not committed yet outlives an orderly end, whatever the machine does then.
Result<void> Store::sync_drafts() {
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(drafts_, error)) {
    const HostFd fd(::open(file.path().c_str(), O_RDONLY | O_CLOEXEC));
    if (fd.get() < 0 || fdatasync(fd.get()) != 0) return fail(errno);
  }
  const HostFd directory(::open(drafts_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return directory.get() >= 0 && fsync(directory.get()) == 0 ? Result<void>{} : fail(errno);
}

Result<uint64_t> Store::number_setting(std::string_view name) {
  OSP_ASSIGN(const auto value, metadata_->get(key::setting(name)));
  return value ? Reader(*value).u64() : 0;
}

Result<void> Store::load(bool is_after_crash) {
  if (mkdir(drafts_.c_str(), 0700) != 0 && errno != EEXIST) return fail(errno);
  OSP_ASSIGN(saved_second_, number_setting("clock"));
  OSP_ASSIGN(known_ids_, number_setting("next"));
  last_ns_ = static_cast<int64_t>(saved_second_) * ns_per_s;
  next_id_ = known_ids_ = std::max(known_ids_, root_id + 1);
  OSP_ASSIGN(const auto root, metadata_->get(key::inode(root_id)));
  if (!root) OSP_TRY(make_root());
  OSP_TRY(recover_versions(is_after_crash));
  OSP_TRY(recover_files(is_after_crash));
  is_loaded_ = true;
  return {};
}

Result<void> Store::make_root() {
  Inode root;
  root.mode = S_IFDIR | 0755, root.uid = options_.identity.uid, root.gid = options_.identity.gid, root.links = 2;
  root.atime_ns = root.mtime_ns = root.ctime_ns = now_ns();
  Batch batch;
  put_inode(batch, root_id, root);
  OSP_TRY(write(std::move(batch)));
  return sync();
}

Result<bool> Store::is_whole(const Version& version) {
  const auto content = Content::decode(version.content, *chunks_);
  if (!content) return false;
  bool whole = true;
  const auto seen = content->visit({.list = [&](const ChunkId& id) -> Result<bool> {
                                      OSP_ASSIGN(const bool has, chunks_->has(id));
                                      whole = whole && has;
                                      return has;
                                    },
                                    .piece = [&](const Piece& piece) -> Result<void> {
                                      if (!piece.chunk) return {};
                                      OSP_ASSIGN(const bool has, chunks_->has(*piece.chunk));
                                      whole = whole && has;
                                      return {};
                                    }});
  if (!seen) return std::unexpected(seen.error());
  return whole;
}

// The version never was: the records that have it as the newest get the one before.
Result<void> Store::take_back(uint64_t id, uint64_t number) {
  OSP_ASSIGN(const auto older, metadata_->last(key::version(id, 0), key::version(id, number - 1)));
  Inode::Committed before;
  if (older) {
    OSP_ASSIGN(const Version version, decode_version(older->second));
    before = {.version = key::number_in(older->first, 8),
              .size = version.size,
              .allocated = version.allocated,
              .mtime_ns = version.mtime_ns};
  }
  Batch batch;
  const auto correct = [&](std::string_view at, std::string_view record) -> Result<void> {
    OSP_ASSIGN(Inode inode, decode_inode(record));
    if (inode.committed.version != number) return {};
    inode.committed = before;
    inode.version += taken_back;  // whoever has seen this number, saw other contents
    inode.is_draft = true;        // for without_draft()
    batch.put(std::string(at), encode(inode.without_draft()));
    return {};
  };
  OSP_TRY(for_each(*metadata_, key::numbered('I', id), correct));
  OSP_ASSIGN(const auto now, metadata_->get(key::inode(id)));
  if (now) OSP_TRY(correct(key::inode(id), *now));
  batch.erase(key::version(id, number));
  batch.erase(key::unsynced(id, number));
  log::info("store", "version {} of file {} was not on the disk: the one before is the newest", number, id);
  return metadata_->write(batch);
}

Result<void> Store::recover_versions(bool is_after_crash) {
  std::vector<std::string> keys;
  OSP_TRY(for_each(*metadata_, "u", [&](auto key, auto) -> Result<void> {
    keys.emplace_back(key);
    return {};
  }));
  if (!is_after_crash) {
    unsynced_ = std::move(keys);
    is_dirty_ = !unsynced_.empty();
    return {};
  }
  for (const std::string& key : keys) {
    const uint64_t id = key::number_in(key);
    const uint64_t number = key::number_in(key, 8);
    OSP_ASSIGN(const auto record, metadata_->get(key::version(id, number)));
    const auto version = record ? decode_version(*record) : Result<Version>(fail(ENOENT));
    OSP_ASSIGN(const bool whole, version ? is_whole(*version) : Result<bool>(false));
    if (!whole) {
      OSP_TRY(take_back(id, number));
    } else {
      unsynced_.push_back(key);
    }
  }
  return sync();
}

Result<void> Store::recover_files(bool is_after_crash) {
  std::vector<uint64_t> nameless;
  std::vector<uint64_t> drafts;
  const auto collect = [&](const char* kind, std::vector<uint64_t>& ids) {
    return for_each(*metadata_, kind, [&](auto key, auto) -> Result<void> {
      ids.push_back(key::number_in(key));
      return {};
    });
  };
  OSP_TRY(collect("o", nameless));
  for (const uint64_t id : nameless) OSP_TRY(forget(id));
  OSP_TRY(collect("D", drafts));
  if (is_after_crash) {
    for (const uint64_t id : std::exchange(drafts, {})) OSP_TRY(abandon_draft(id));
  }
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(drafts_, error)) {
    const auto is_it = [&](uint64_t id) { return file.path() == draft_path(id); };
    if (std::ranges::none_of(drafts, is_it)) unlink(file.path().c_str());
  }
  return {};
}

std::string Store::draft_path(uint64_t id) const { return fmt::format("{}/{:x}", drafts_, id); }

int64_t Store::now_ns() {
  last_ns_ = std::max(options_.clock_ns ? options_.clock_ns() : machine_ns(), last_ns_ + 1);
  return last_ns_;
}

uint64_t Store::history_second() { return static_cast<uint64_t>((last_ns_ + ns_per_s - 1) / ns_per_s); }

Result<uint64_t> Store::new_id() {
  if (next_id_ == known_ids_) {
    Batch batch;
    batch.put(key::setting("next"), number_value(known_ids_ + ids_at_once));
    OSP_TRY(metadata_->write(batch));
    known_ids_ += ids_at_once;
  }
  return next_id_++;
}

Result<Inode> Store::inode(uint64_t id) {
  OSP_ASSIGN(const auto record, metadata_->get(key::inode(id)));
  if (!record) return fail(ENOENT);
  return decode_inode(*record);
}

Result<Version> Store::version(uint64_t id, uint64_t number) {
  OSP_ASSIGN(const auto record, metadata_->get(key::version(id, number)));
  if (!record) return fail(ENOENT);
  return decode_version(*record);
}

void Store::put_inode(Batch& batch, uint64_t id, const Inode& inode) {
  batch.put(key::inode(id), encode(inode));
  batch.put(key::inode_past(id, history_second()), encode(inode.without_draft()));
}

void Store::put_entry(Batch& batch, uint64_t directory, std::string_view name, const Entry& entry) {
  if (entry.id == 0) {
    batch.erase(key::entry(directory, name));
  } else {
    batch.put(key::entry(directory, name), encode(entry));
  }
  batch.put(key::entry_past(directory, name, history_second()), encode(entry));
}

void Store::put_version(Batch& batch, uint64_t id, uint64_t number, const Version& version) {
  batch.put(key::version(id, number), encode(version));
  if (!chunks_->is_dirty()) return;
  std::string mark = key::unsynced(id, number);
  batch.put(mark, {});
  unsynced_.push_back(std::move(mark));
}

Result<void> Store::write(Batch batch) {
  if (const uint64_t second = history_second(); second > saved_second_) {
    batch.put(key::setting("clock"), number_value(second));
    saved_second_ = second;
  }
  is_dirty_ = true;
  return metadata_->write(batch);
}

Result<void> Store::sync() {
  OSP_TRY(chunks_->sync());
  Batch batch;
  for (std::string& mark : unsynced_) batch.erase(std::move(mark));
  unsynced_.clear();
  OSP_TRY(metadata_->write(batch));
  OSP_TRY(metadata_->sync());
  is_dirty_ = false;
  return {};
}

Result<void> Store::forget(uint64_t id) {
  OSP_TRY(abandon_draft(id));
  Batch batch;
  batch.erase(key::inode(id));
  batch.erase(key::nameless(id));
  return write(std::move(batch));
}

Result<void> Store::abandon_draft(uint64_t id) {
  Batch batch;
  OSP_TRY(for_each(*metadata_, key::numbered('d', id), [&](auto key, auto) -> Result<void> {
    batch.erase(std::string(key));
    return {};
  }));
  batch.erase(key::draft(id));
  const auto there = inode(id);
  if (!there && there.error().code != ENOENT) return std::unexpected(there.error());
  // Whoever has seen the draft must not take what is there now for it.
  Inode plain = there ? there->without_draft() : Inode();
  if (there && there->is_draft) plain.version = there->version + 1, batch.put(key::inode(id), encode(plain));
  OSP_TRY(write(std::move(batch)));
  unlink(draft_path(id).c_str());
  return {};
}

}  // namespace osp::pip::store
