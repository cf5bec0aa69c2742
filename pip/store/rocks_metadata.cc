#include "pip/store/rocks_metadata.h"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/log.h"

namespace osp::pip::store {
namespace {

constexpr size_t block_cache = 32U << 20;
constexpr size_t write_buffer = 16U << 20;
constexpr int bloom_bits = 10;

Error error_of(const rocksdb::Status& status) {
  log::warn("store", "metadata: {}", status.ToString());
  if (status.IsNoSpace()) return Error(ENOSPC);
  return Error(status.IsBusy() ? EBUSY : EIO);
}

Result<void> done(const rocksdb::Status& status) {
  if (!status.ok()) return std::unexpected(error_of(status));
  return {};
}

rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }

class RocksCursor final : public Cursor {
 public:
  RocksCursor(rocksdb::DB& db, std::string_view from, std::string_view end)
      : end_(end), bound_(end_), iterator_(db.NewIterator(options())) {
    iterator_->Seek(slice(from));
  }
  [[nodiscard]] bool is_valid() const override { return iterator_->Valid(); }
  [[nodiscard]] std::string_view key() const override { return iterator_->key().ToStringView(); }
  [[nodiscard]] std::string_view value() const override { return iterator_->value().ToStringView(); }
  void next() override { iterator_->Next(); }
  [[nodiscard]] Result<void> status() const override { return done(iterator_->status()); }

 private:
  rocksdb::ReadOptions options() {
    rocksdb::ReadOptions options;
    options.iterate_upper_bound = &bound_;
    return options;
  }

  std::string end_;
  rocksdb::Slice bound_;  // of end_; the iterator refers to it
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

class RocksMetadata final : public MetadataStore {
 public:
  explicit RocksMetadata(std::unique_ptr<rocksdb::DB> db) : db_(std::move(db)) {}

  Result<std::optional<std::string>> get(std::string_view key) override {
    std::string value;
    const auto status = db_->Get({}, slice(key), &value);
    if (status.IsNotFound()) return std::nullopt;
    OSP_TRY(done(status));
    return value;
  }

  std::unique_ptr<Cursor> scan(std::string_view from, std::string_view end) override {
    return std::make_unique<RocksCursor>(*db_, from, end);
  }

  Result<std::optional<Item>> last(std::string_view from, std::string_view at_most) override {
    const std::unique_ptr<rocksdb::Iterator> iterator(db_->NewIterator({}));
    iterator->SeekForPrev(slice(at_most));
    OSP_TRY(done(iterator->status()));
    if (!iterator->Valid() || iterator->key().ToStringView() < from) return std::nullopt;
    return Item(iterator->key().ToString(), iterator->value().ToString());
  }

  Result<void> write(const Batch& batch) override {
    rocksdb::WriteBatch all;
    for (const auto& [key, value] : batch.changes()) OSP_TRY(done(value ? all.Put(key, *value) : all.Delete(key)));
    return done(db_->Write({}, &all));
  }

  Result<void> sync() override { return done(db_->SyncWAL()); }

 private:
  std::unique_ptr<rocksdb::DB> db_;
};

rocksdb::Options options_of_store() {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.write_buffer_size = write_buffer;
  options.max_open_files = 256;
  options.max_background_jobs = 2;
  options.max_log_file_size = 1U << 20;  // RocksDB's own LOG, for people
  options.keep_log_file_num = 2;
  options.info_log_level = rocksdb::WARN_LEVEL;
  const auto known = rocksdb::GetSupportedCompressions();
  options.compression =
      std::ranges::find(known, rocksdb::kZSTD) != known.end() ? rocksdb::kZSTD : rocksdb::kNoCompression;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(block_cache);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(bloom_bits));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

}  // namespace

Result<std::unique_ptr<MetadataStore>> open_rocks_metadata(const std::string& directory, bool may_create) {
  // It has names and small files in it, whatever others may do with the directory above.
  if (mkdir(directory.c_str(), 0700) != 0 && (errno != EEXIST || chmod(directory.c_str(), 0700) != 0))
    return fail(errno);
  rocksdb::DB* db = nullptr;
  rocksdb::Options options = options_of_store();
  options.create_if_missing = may_create;
  OSP_TRY(done(rocksdb::DB::Open(options, directory, &db)));
  return std::make_unique<RocksMetadata>(std::unique_ptr<rocksdb::DB>(db));
}

}  // namespace osp::pip::store
