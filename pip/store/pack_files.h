#pragma once

#include <map>

#include "pip/host_walk.h"
#include "pip/store/chunk_store.h"
#include "pip/store/metadata_store.h"

namespace osp::pip::store {

// Chunks in append-only files of a directory, with their places in the metadata. A process only ever appends to packs
// that it has made itself, so what an earlier one left half-written at an end is in nobody's way.
class PackFiles final : public ChunkStore {
 public:
  // `index` is the caller's and must live longer; the keys below 'c' and "spacks" are this one's. Makes the directory.
  // `is_after_crash` of the machine: what was not synced is looked at, and what is not whole is forgotten. EIO EACCES.
  static Result<std::unique_ptr<PackFiles>> create(std::string directory, MetadataStore& index, bool is_after_crash);

  Result<ChunkId> put(std::string_view contents) override;
  Result<ChunkPtr> get(const ChunkId& id) override;
  Result<bool> has(const ChunkId& id) override;
  Result<void> sync() override;
  [[nodiscard]] bool is_dirty() const override { return is_dirty_; }
  Result<Swept> sweep(const std::function<bool(const ChunkId&)>& is_wanted) override;
  Result<void> verify(const std::function<void(const std::string& what)>& wrong,
                      const std::function<void(uint64_t bytes)>& progress) override;
  [[nodiscard]] uint64_t stored_bytes() const override;

  static constexpr uint64_t most_in_pack = 256U << 20;

 private:
  struct Pack {
    HostFd fd;
    uint64_t size = 0;
  };
  struct Place {
    uint32_t pack = 0;
    uint64_t offset = 0;
    uint32_t size = 0;  // of the record
  };
  PackFiles(std::string directory, MetadataStore& index) : directory_(std::move(directory)), index_(index) {}

  Result<void> load();
  Result<Place> synced();
  Result<void> sync_rest();
  Result<void> recover();
  Result<void> begin_pack();
  Result<Place> append(const ChunkId& id, std::string_view contents);
  Result<std::optional<Place>> find(const ChunkId& id);
  Result<std::string> read(const ChunkId& id, const Place& place);
  Result<std::map<uint32_t, uint64_t>> drop_unwanted(const std::function<bool(const ChunkId&)>& is_wanted,
                                                     Swept& swept);
  Result<void> move_out_of(uint32_t pack);
  Result<void> remove(uint32_t pack);
  [[nodiscard]] std::string path(uint32_t pack) const;
  static std::string encode(const Place& place);
  static Result<Place> decode(std::string_view value);

  std::string directory_;
  MetadataStore& index_;
  std::map<uint32_t, Pack> packs_;
  uint32_t active_ = 0;  // 0: none yet
  bool is_dirty_ = false;
  bool has_failed_ = false;  // to reach the disk: until the next start nothing is said to be there
};

}  // namespace osp::pip::store
