#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pip/host_walk.h"
#include "pip/store/chunk_store.h"
#include "pip/store/inode.h"
#include "pip/store/metadata_store.h"

namespace osp::pip::store {

constexpr uint64_t root_id = 1;
constexpr size_t chunk_cache = 64U << 20;  // bytes

// Who new files belong to and, unless it is the super-user, whose permissions count: as if the tree were the host's.
struct Identity {
  uint32_t uid = 0, gid = 0;
  [[nodiscard]] bool is_super() const { return uid == 0; }
  static Identity of_process();
};

// The directory of a store: its metadata, chunks and drafts, opened by one process. Everything else of a store is
// built of this. One thread at a time; every call may block on the disk.
class Store {
 public:
  struct Options {
    bool may_create = false;  // where nothing is there yet, or an empty directory
    Identity identity = Identity::of_process();
    std::function<int64_t()> clock_ns = {};  // for tests; else the machine's
  };
  // EBUSY: another process has it; ENOENT, ENOTEMPTY: no store is there; EPROTONOSUPPORT: one of another form.
  // `why` is for a person: it names the file and the remedy.
  static Result<std::unique_ptr<Store>> open(const std::string& directory, Options options, std::string& why);
  // Over parts that are given: for tests. `drafts` is a directory; `is_after_crash` of the machine.
  static Result<std::unique_ptr<Store>> assemble(std::unique_ptr<MetadataStore> metadata,
                                                 std::unique_ptr<ChunkStore> chunks, std::string drafts,
                                                 Options options, bool is_after_crash);
  ~Store();

  [[nodiscard]] MetadataStore& metadata() { return *metadata_; }
  [[nodiscard]] ChunkStore& chunks() { return *chunks_; }
  [[nodiscard]] const Identity& identity() const { return options_.identity; }
  [[nodiscard]] const std::string& directory() const { return directory_; }
  [[nodiscard]] std::string draft_path(uint64_t id) const;

  // Later than all that it has said before, also before this process began.
  int64_t now_ns();
  // A number for a new file.
  Result<uint64_t> new_id();

  // The file's record; ENOENT.
  Result<Inode> inode(uint64_t id);
  Result<Version> version(uint64_t id, uint64_t number);

  // Writes down a file's record, and from which second on it is so. Adds to `batch`.
  void put_inode(Batch& batch, uint64_t id, const Inode& inode);
  void put_entry(Batch& batch, uint64_t directory, std::string_view name, const Entry& entry);
  // A version that was just made; it counts as whole only when its chunks are on the disk.
  void put_version(Batch& batch, uint64_t id, uint64_t number, const Version& version);
  Result<void> write(Batch batch);
  // All that was written is on the disk.
  Result<void> sync();
  [[nodiscard]] bool is_dirty() const { return is_dirty_; }
  // Whether the machine ended while it was last open: what was not on the disk, and all drafts, are gone.
  [[nodiscard]] bool is_after_crash() const { return is_after_crash_; }

  // The second that all that happens now counts for: as of it and later, it is seen.
  [[nodiscard]] uint64_t history_second();
  // A file whose last name is gone and that nobody has open: its record of now goes; history stays.
  Result<void> forget(uint64_t id);
  // Drops what was changed since the newest version.
  Result<void> abandon_draft(uint64_t id);

 private:
  Store(std::string directory, Options options) : directory_(std::move(directory)), options_(std::move(options)) {}

  static Result<bool> is_empty(const std::string& directory);
  Result<void> take(std::string& why);
  Result<void> load(bool is_after_crash);
  Result<void> make_root();
  Result<uint64_t> number_setting(std::string_view name);
  Result<bool> may_begin_metadata(std::string& why) const;
  Result<bool> has_crashed();
  Result<void> note_boot();
  Result<void> sync_drafts();
  Result<void> recover_versions(bool is_after_crash);
  Result<void> take_back(uint64_t id, uint64_t number);
  Result<bool> is_whole(const Version& version);
  Result<void> recover_files(bool is_after_crash);

  std::string directory_;
  Options options_;
  HostFd lock_;
  std::unique_ptr<MetadataStore> metadata_;
  std::unique_ptr<ChunkStore> chunks_;
  std::string drafts_;
  std::vector<std::string> unsynced_;  // keys of versions
  int64_t last_ns_ = 0;
  uint64_t saved_second_ = 0;
  bool is_loaded_ = false;
  bool is_after_crash_ = false;
  uint64_t next_id_ = 0, known_ids_ = 0;  // those below known_ids_ may be given away
  bool is_dirty_ = false;
};

}  // namespace osp::pip::store
