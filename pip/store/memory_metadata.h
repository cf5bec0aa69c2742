#pragma once

#include <deque>
#include <map>

#include "pip/store/metadata_store.h"

namespace osp::pip::store {

// The fake: keys in memory. It can lose what a machine's end may lose.
class MemoryMetadata final : public MetadataStore {
 public:
  Result<std::optional<std::string>> get(std::string_view key) override;
  std::unique_ptr<Cursor> scan(std::string_view from, std::string_view end) override;
  Result<std::optional<Item>> last(std::string_view from, std::string_view at_most) override;
  Result<void> write(const Batch& batch) override;
  Result<void> sync() override;

  // How many batches a power cut may take.
  [[nodiscard]] size_t unsynced() const { return pending_.size(); }
  // The last `lost` batches never happened.
  void cut_power(size_t lost);

 private:
  using Keys = std::map<std::string, std::string, std::less<>>;
  static void apply(const Batch& batch, Keys& keys);

  Keys keys_;
  Keys durable_;
  std::deque<Batch> pending_;  // since the last sync
};

}  // namespace osp::pip::store
