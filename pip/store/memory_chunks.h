#pragma once

#include <map>
#include <vector>

#include "pip/store/chunk_store.h"

namespace osp::pip::store {

// The fake: chunks in memory. It can lose what a machine's end may lose.
class MemoryChunks final : public ChunkStore {
 public:
  Result<ChunkId> put(std::string_view contents) override;
  Result<ChunkPtr> get(const ChunkId& id) override;
  Result<bool> has(const ChunkId& id) override { return chunks_.contains(id); }
  Result<void> sync() override;
  [[nodiscard]] bool is_dirty() const override { return !unsynced_.empty(); }
  Result<Swept> sweep(const std::function<bool(const ChunkId&)>& is_wanted) override;
  Result<void> verify(const std::function<void(const std::string& what)>& wrong,
                      const std::function<void(uint64_t bytes)>& progress) override;
  [[nodiscard]] uint64_t stored_bytes() const override;

  // Of what was not synced, only the first `kept` chunks are still there.
  void cut_power(size_t kept);
  [[nodiscard]] size_t unsynced() const { return unsynced_.size(); }

 private:
  std::map<ChunkId, ChunkPtr> chunks_;
  std::vector<ChunkId> unsynced_;
};

}  // namespace osp::pip::store
