#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

// Ordered keys with values, changed in atomic batches. Every call may block on the disk.
namespace osp::pip::store {

// Changes that take effect together, in order, or not at all.
class Batch {
 public:
  using Change = std::pair<std::string, std::optional<std::string>>;  // no value: erased

  void put(std::string key, std::string value) { changes_.emplace_back(std::move(key), std::move(value)); }
  void erase(std::string key) { changes_.emplace_back(std::move(key), std::nullopt); }
  [[nodiscard]] const std::vector<Change>& changes() const { return changes_; }
  [[nodiscard]] bool is_empty() const { return changes_.empty(); }

 private:
  std::vector<Change> changes_;
};

// Walks a range of keys as it was when the walk began.
class Cursor {
 public:
  virtual ~Cursor() = default;
  [[nodiscard]] virtual bool is_valid() const = 0;
  // While it is valid; good until next().
  [[nodiscard]] virtual std::string_view key() const = 0;
  [[nodiscard]] virtual std::string_view value() const = 0;
  virtual void next() = 0;
  // Once it is not valid: whether the range ended or could not be read (EIO).
  [[nodiscard]] virtual Result<void> status() const = 0;
};

class MetadataStore {
 public:
  using Item = std::pair<std::string, std::string>;

  virtual ~MetadataStore() = default;
  // Nothing: there is no such key. EIO.
  virtual Result<std::optional<std::string>> get(std::string_view key) = 0;
  // The keys from `from` up to and without `end`, ascending.
  virtual std::unique_ptr<Cursor> scan(std::string_view from, std::string_view end) = 0;
  // The greatest key that is at least `from` and at most `at_most`.
  virtual Result<std::optional<Item>> last(std::string_view from, std::string_view at_most) = 0;
  // Survives the end of this process as soon as it returns, and the machine's after the next sync(); of what was not
  // synced, a machine's end leaves the first so many batches. EIO ENOSPC: nothing has changed.
  virtual Result<void> write(const Batch& batch) = 0;
  virtual Result<void> sync() = 0;
};

// The first string after all that begin with `prefix`, which is not all 0xff.
inline std::string end_of(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

// Calls `each(key, value)`, which returns Result<void>, for all keys that begin with `prefix`.
template <class Each>
Result<void> for_each(MetadataStore& store, const std::string& prefix, Each&& each) {
  const auto cursor = store.scan(prefix, end_of(prefix));
  for (; cursor->is_valid(); cursor->next()) OSP_TRY(each(cursor->key(), cursor->value()));
  return cursor->status();
}

}  // namespace osp::pip::store
