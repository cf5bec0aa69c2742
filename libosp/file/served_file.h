#pragma once

#include <memory>

#include "libosp/file/files.h"
#include "libosp/file/shared_offset.h"
#include "namespace/operations.h"

namespace osp::file {

// A file of a pip::Server as an open file description: offset, flags, directories as getdents64(2) has them.
class ServedFile : public Description {
 public:
  explicit ServedFile(std::unique_ptr<pip::File> file) : file_(std::move(file)) {}
  // What the name space has opened; its path is the place's.
  static std::shared_ptr<ServedFile> of(ns::OpenedPlace opened);
  ~ServedFile() override {
    drop_fd(lock_fd_);
    if (lock_fd_ >= 0) file_->lock_released();
  }

  Result<size_t> contents(uint64_t offset, std::span<std::byte> to) override { return file_->read(offset, to); }
  long read(task::Thread& thread, void* to, size_t size) override;
  long write(task::Thread& thread, const void* from, size_t size) override;
  long pread(task::Thread& thread, void* to, size_t size, int64_t offset) override;
  long pwrite(task::Thread& thread, const void* from, size_t size, int64_t offset) override;
  long seek(int64_t offset, int whence) override;
  long list(task::Thread& thread, void* to, size_t size) override;
  Result<pip::Attributes> stat() override { return file_->stat(); }
  long truncate(uint64_t size) override;
  long zero(uint64_t from, uint64_t to) override;
  long sync() override;
  Result<void> change(const pip::AttributeChange& change) override { return file_->change(change); }
  Result<pip::PageRange> map(uint64_t offset, uint64_t size, bool writable) override {
    return file_->map(offset, size, writable);
  }
  int lock_fd() override;
  Result<pip::LockAnswer> lock(pip::LockKind kind, const pip::LockRange& range) override {
    return file_->lock(kind, range);
  }
  void lock_settled() override { file_->lock_settled(); }
  void lock_released() override { file_->lock_released(); }
  [[nodiscard]] FileIdentity identity() override;
  long close() override;
  void inherited() override { offset_.inherited(); }
  // With an offset of its own; null: by its name only.
  [[nodiscard]] std::shared_ptr<Description> reopened(int open_flags) override;
  [[nodiscard]] std::optional<Origin> origin() const override {
    return path().empty() ? std::nullopt : std::optional(Origin{server_, offset()});
  }
  [[nodiscard]] int held_lock_fd() const override { return lock_fd_; }

  // What Origin says; for a file that one server has alone.
  void set_server(std::string name) { server_ = std::move(name); }
  [[nodiscard]] uint64_t offset() const { return offset_.get(); }
  [[nodiscard]] pip::File& file() { return *file_; }

 private:
  std::unique_ptr<pip::File> file_;
  SharedOffset offset_;
  std::string server_;
  int lock_fd_ = -1;
};

}  // namespace osp::file
