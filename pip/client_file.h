#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pip/client.h"

namespace osp::pip {

// A remote open file. Files open for reading only read ahead when read in sequence.
class ClientFile final : public File {
 public:
  ClientFile(std::shared_ptr<ClientShared> shared, uint32_t fid, const OpenMode& mode, bool is_directory)
      : shared_(std::move(shared)), fid_(fid), mode_(mode), is_directory_(is_directory), seen_(shared_->changes()) {}
  ~ClientFile() override;

  Result<size_t> read(uint64_t offset, std::span<std::byte> into) override;
  Result<size_t> write(uint64_t offset, std::span<const std::byte> from) override;
  // All of it, or an error; then a part of it may be there.
  Result<uint64_t> append(std::span<const std::byte> from) override;
  Result<std::vector<DirectoryEntry>> read_directory(uint64_t first, size_t count) override;
  Result<Attributes> stat() override;
  Result<void> change(const AttributeChange& change) override;
  Result<void> commit() override;
  Result<void> close() override;

  Result<PageRange> map(uint64_t offset, uint64_t size, bool writable) override;
  Result<LockAnswer> lock(LockKind kind, const LockRange& range) override {
    return shared_->channel->lock(fid_, kind, range);
  }
  void lock_settled() override { shared_->channel->lock_settled(); }
  void lock_released() override { shared_->channel->lock_released(); }

  // What came along with the open: the contents (or entries) from 0 on, `asked` bytes of them. `seen` is what
  // ClientShared::changes() was before.
  void prefetched(Answer answer, size_t index, uint32_t asked, uint64_t seen);
  static constexpr uint32_t prefetch = 32 * 1024;

 private:
  // A read that was asked for, and then its answer.
  struct Chunk {
    uint64_t offset = 0;
    uint32_t count = 0;  // asked for
    uint64_t tag = 0;
    Answer answer;
    std::string_view data;
    bool here = false;
    uint64_t served = 0;  // bytes that were read once: to read them again is to want to know what they are now
  };

  Result<size_t> read_direct(uint64_t offset, std::span<std::byte> into);
  Result<size_t> read_ahead(uint64_t offset, std::span<std::byte> into);
  Result<void> ask(uint64_t offset, uint32_t count);
  Result<void> await(Chunk& chunk);
  Result<void> aim(uint64_t offset, size_t size);
  void drop_chunks();
  Result<void> fetch_entries(uint64_t first);
  Result<Answer> exchange(const Message& message);

  std::shared_ptr<ClientShared> shared_;
  uint32_t fid_;
  OpenMode mode_;
  bool is_directory_;
  bool open_ = true;
  bool busy_ = false;         // another fiber is reading ahead
  uint64_t seen_;             // shared_->changes() when the chunks were asked for
  uint64_t next_ = 0;         // where a sequential read goes on
  size_t depth_ = 0;          // chunks to keep asked for
  std::deque<Chunk> chunks_;  // contiguous
  std::vector<DirectoryEntry> entries_;
  uint64_t entries_first_ = 0;
  bool entries_fresh_ = false;  // they came with the open and have not been used
};

}  // namespace osp::pip
