#include "pip/store/cached_chunks.h"

namespace osp::pip::store {

Result<ChunkPtr> CachedChunks::get(const ChunkId& id) {
  if (const auto found = entries_.find(id); found != entries_.end()) {
    order_.splice(order_.begin(), order_, found->second.place);
    return found->second.bytes;
  }
  OSP_ASSIGN(ChunkPtr bytes, store_->get(id));
  order_.push_front(id);
  entries_[id] = {.bytes = bytes, .place = order_.begin()};
  held_ += bytes->size();
  while (held_ > most_ && order_.size() > 1) {
    const auto oldest = entries_.find(order_.back());
    held_ -= oldest->second.bytes->size();
    entries_.erase(oldest);
    order_.pop_back();
  }
  return bytes;
}

Result<ChunkStore::Swept> CachedChunks::sweep(const std::function<bool(const ChunkId&)>& is_wanted) {
  entries_.clear();
  order_.clear();
  held_ = 0;
  return store_->sweep(is_wanted);
}

}  // namespace osp::pip::store
