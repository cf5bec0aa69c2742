#include "pip/store/memory_metadata.h"

namespace osp::pip::store {
namespace {

class MemoryCursor final : public Cursor {
 public:
  explicit MemoryCursor(std::vector<MetadataStore::Item> items) : items_(std::move(items)) {}
  [[nodiscard]] bool is_valid() const override { return at_ < items_.size(); }
  [[nodiscard]] std::string_view key() const override { return items_[at_].first; }
  [[nodiscard]] std::string_view value() const override { return items_[at_].second; }
  void next() override { ++at_; }
  [[nodiscard]] Result<void> status() const override { return {}; }

 private:
  std::vector<MetadataStore::Item> items_;
  size_t at_ = 0;
};

}  // namespace

Result<std::optional<std::string>> MemoryMetadata::get(std::string_view key) {
  const auto found = keys_.find(key);
  return found == keys_.end() ? std::nullopt : std::optional(found->second);
}

std::unique_ptr<Cursor> MemoryMetadata::scan(std::string_view from, std::string_view end) {
  return std::make_unique<MemoryCursor>(std::vector<Item>(keys_.lower_bound(from), keys_.lower_bound(end)));
}

Result<std::optional<MetadataStore::Item>> MemoryMetadata::last(std::string_view from, std::string_view at_most) {
  auto found = keys_.upper_bound(at_most);
  if (found == keys_.begin() || (--found)->first < from) return std::nullopt;
  return Item(*found);
}

void MemoryMetadata::apply(const Batch& batch, Keys& keys) {
  for (const auto& [key, value] : batch.changes()) {
    if (value) {
      keys[key] = *value;
    } else {
      keys.erase(key);
    }
  }
}

Result<void> MemoryMetadata::write(const Batch& batch) {
  apply(batch, keys_);
  pending_.push_back(batch);
  return {};
}

Result<void> MemoryMetadata::sync() {
  for (const Batch& batch : pending_) apply(batch, durable_);
  pending_.clear();
  return {};
}

void MemoryMetadata::cut_power(size_t lost) {
  pending_.resize(pending_.size() - lost);
  (void)sync();
  keys_ = durable_;
}

}  // namespace osp::pip::store
