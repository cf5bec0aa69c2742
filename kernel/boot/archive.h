#pragma once

#include <cstddef>
#include <cstdint>

namespace osp::kernel {

// A file of the boot archive. Both pointers lead into the archive; the name ends with a zero.
struct ArchiveFile {
  const char* name = nullptr;
  const char* data = nullptr;
  size_t size = 0;
};

// Reads a newc cpio archive (cpio(5)), file by file. Nothing of it is believed.
class Archive {
 public:
  Archive(const char* data, size_t size) : data_(data), size_(size) {}

  // The next file. False: there is none, or the archive is damaged.
  [[nodiscard]] bool next(ArchiveFile& file);

 private:
  const char* data_;
  size_t size_;
  size_t at_ = 0;
};

}  // namespace osp::kernel
