#pragma once

#include <list>
#include <map>

#include "pip/store/chunk_store.h"

namespace osp::pip::store {

// A chunk store whose chunks of late are in memory.
class CachedChunks final : public ChunkStore {
 public:
  // At most so many bytes of them.
  CachedChunks(std::unique_ptr<ChunkStore> store, size_t most_bytes) : store_(std::move(store)), most_(most_bytes) {}

  Result<ChunkId> put(std::string_view contents) override { return store_->put(contents); }
  Result<ChunkPtr> get(const ChunkId& id) override;
  Result<bool> has(const ChunkId& id) override { return store_->has(id); }
  Result<void> sync() override { return store_->sync(); }
  [[nodiscard]] bool is_dirty() const override { return store_->is_dirty(); }
  Result<Swept> sweep(const std::function<bool(const ChunkId&)>& is_wanted) override;
  Result<void> verify(const std::function<void(const std::string& what)>& wrong,
                      const std::function<void(uint64_t bytes)>& progress) override {
    return store_->verify(wrong, progress);
  }
  [[nodiscard]] uint64_t stored_bytes() const override { return store_->stored_bytes(); }

 private:
  struct Entry {
    ChunkPtr bytes;
    std::list<ChunkId>::iterator place;
  };
  std::unique_ptr<ChunkStore> store_;
  size_t most_;
  size_t held_ = 0;           // bytes
  std::list<ChunkId> order_;  // the latest first
  std::map<ChunkId, Entry> entries_;
};

}  // namespace osp::pip::store
