#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pip/host_walk.h"
#include "pip/server.h"

namespace osp::pip {

// statx(2) of `name` in `directory` (a link itself), or of the fd if the name is empty. The id is the inode number,
// mixed with the device where that is not `root_device`.
Result<Attributes> host_stat(int directory, const char* name, uint64_t root_device);

// Applies a change to what `fd` is open on, also with O_PATH (then through /proc/self/fd).
// EOPNOTSUPP: the mode of a symbolic link.
Result<void> host_change(int fd, const AttributeChange& change);

// An open host file: pread, pwrite and getdents64 of one fd, which it owns.
class HostFile final : public File {
 public:
  // `drop` closes the fd where that takes more than close(2).
  HostFile(HostFd fd, uint64_t root_device, void (*drop)(int fd) = nullptr)
      : fd_(std::move(fd)), root_device_(root_device), drop_(drop) {}
  ~HostFile() override {
    if (drop_ != nullptr && fd_.get() >= 0) drop_(fd_.release());
  }

  Result<size_t> read(uint64_t offset, std::span<std::byte> into) override;
  Result<size_t> write(uint64_t offset, std::span<const std::byte> from) override;
  Result<uint64_t> append(std::span<const std::byte> from) override;
  Result<std::vector<DirectoryEntry>> read_directory(uint64_t first, size_t count) override;
  Result<Attributes> stat() override;
  Result<void> change(const AttributeChange& change) override { return host_change(fd_.get(), change); }
  Result<void> commit() override;
  Result<void> close() override;
  Result<PageRange> map(uint64_t offset, uint64_t size, bool writable) override;

  // The host's fd, for those that hand calls straight to the host. It stays this object's.
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  Result<void> list_names();

  HostFd fd_;
  uint64_t root_device_;
  void (*drop_)(int fd);
  bool listed_ = false;
  std::vector<std::string> names_;  // the directory as it was when reading began at 0
};

}  // namespace osp::pip
