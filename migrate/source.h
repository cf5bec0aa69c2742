#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"

namespace osp::migrate {

// Where an image is read from, at any place.
class Source {
 public:
  virtual ~Source() = default;

  [[nodiscard]] virtual uint64_t size() const = 0;  // bytes, as it was when opened

  // Fills all of `into` from `offset`. EIO: the source ends before. May block.
  virtual Result<void> read(uint64_t offset, std::span<std::byte> into) = 0;
};

// A regular file, read by pread(2): one that shrinks meanwhile gives EIO, not SIGBUS. Raw system calls only.
class FileSource final : public Source {
 public:
  // Errors of open(2); EINVAL: not a regular file (and nothing waits for a FIFO's writer to find that out).
  static Result<std::unique_ptr<FileSource>> open(const std::string& path);
  // Takes over `fd`, which is closed with the source, or on error at once.
  static Result<std::unique_ptr<FileSource>> adopt(int fd);

  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;
  ~FileSource() override;

  [[nodiscard]] uint64_t size() const override { return size_; }
  Result<void> read(uint64_t offset, std::span<std::byte> into) override;

  // To map frames of a mappable image from. Still owned by the source.
  [[nodiscard]] int fd() const { return fd_; }

 private:
  explicit FileSource(int fd) : fd_(fd) {}

  int fd_;
  uint64_t size_ = 0;
};

// Bytes in memory, which the caller keeps alive.
class MemorySource final : public Source {
 public:
  explicit MemorySource(std::span<const std::byte> bytes) : bytes_(bytes) {}

  [[nodiscard]] uint64_t size() const override { return bytes_.size(); }
  Result<void> read(uint64_t offset, std::span<std::byte> into) override;

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace osp::migrate
