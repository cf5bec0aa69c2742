#pragma once

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

// Writes archives of the newc format (libosp/native/cpio.h).
namespace osp::tools {

// Errors are for a person.
template <class T>
using BootResult = std::expected<T, std::string>;

struct ArchivedFile {
  std::string name;  // without a leading slash
  mode_t mode = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  int64_t mtime = 0;  // seconds
  uint32_t inode = 0, links = 1;
  dev_t special = 0;  // of a device
};

// Where contents are, counted from where the archive begins.
struct Extent {
  uint64_t begin = 0, size = 0;
};

// All of it, at that offset. The error says that it is the boot archive.
BootResult<void> write_all(int fd, uint64_t at, std::string_view bytes);

// Contents of at least a page begin at one, counted from where the archive begins, so that they can be mapped.
class CpioWriter {
 public:
  // Writes to `fd`, which is borrowed and can seek, from its offset `begin` on.
  explicit CpioWriter(int fd, uint64_t begin = 0) : fd_(fd), begin_(begin), at_(begin) {}

  BootResult<void> add(const ArchivedFile& file, std::string_view contents);
  // The contents are those of `source`, which is a path for the errors; it must have `size` bytes.
  BootResult<void> add(const ArchivedFile& file, const std::string& source, uint64_t size);
  // A file that the caller writes at the offset that this returns; end_file() with the offset of its end follows.
  BootResult<uint64_t> begin_file(const ArchivedFile& file);
  BootResult<void> end_file(uint64_t end);
  // Writes the trailer; the offset of the archive's end.
  BootResult<uint64_t> finish();
  // The contents that are large enough for frames of their own, in order.
  [[nodiscard]] const std::vector<Extent>& large() const { return large_; }

 private:
  BootResult<void> put_header(const ArchivedFile& file, uint64_t size);
  BootResult<void> put(std::string_view bytes);
  BootResult<void> pad();

  int fd_;
  uint64_t begin_, at_;
  std::vector<Extent> large_;
  uint64_t open_header_ = 0, open_contents_ = 0;
};

}  // namespace osp::tools
