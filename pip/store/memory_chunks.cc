#include "pip/store/memory_chunks.h"

namespace osp::pip::store {

Result<ChunkId> MemoryChunks::put(std::string_view contents) {
  if (contents.size() > most) return fail(EMSGSIZE);
  const ChunkId id = ChunkId::of(contents);
  if (chunks_.try_emplace(id, std::make_shared<const std::string>(contents)).second) unsynced_.push_back(id);
  return id;
}

Result<ChunkPtr> MemoryChunks::get(const ChunkId& id) {
  const auto found = chunks_.find(id);
  if (found == chunks_.end()) return fail(ENOENT);
  return found->second;
}

Result<void> MemoryChunks::sync() {
  unsynced_.clear();
  return {};
}

Result<ChunkStore::Swept> MemoryChunks::sweep(const std::function<bool(const ChunkId&)>& is_wanted) {
  Swept swept;
  std::erase_if(chunks_, [&](const auto& chunk) {
    if (is_wanted(chunk.first)) return false;
    ++swept.chunks, swept.bytes += chunk.second->size();
    return true;
  });
  std::erase_if(unsynced_, [&](const ChunkId& id) { return !chunks_.contains(id); });
  return swept;
}

Result<void> MemoryChunks::verify(const std::function<void(const std::string& what)>& wrong,
                                  const std::function<void(uint64_t bytes)>& progress) {
  for (const auto& [id, contents] : chunks_) {
    if (ChunkId::of(*contents) != id) wrong(id.text() + " is damaged");
    progress(contents->size());
  }
  return {};
}

uint64_t MemoryChunks::stored_bytes() const {
  uint64_t bytes = 0;
  for (const auto& [id, contents] : chunks_) bytes += contents->size();
  return bytes;
}

void MemoryChunks::cut_power(size_t kept) {
  for (size_t i = kept; i < unsynced_.size(); ++i) chunks_.erase(unsynced_[i]);
  unsynced_.clear();
}

}  // namespace osp::pip::store
