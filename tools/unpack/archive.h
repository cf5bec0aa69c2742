#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <memory>
#include <string>

#include "tools/unpack/outcome.h"

namespace osp::unpack {

// A tar, plain or compressed by gzip, bzip2, xz, lzma or zstd, read from its start to its end.
class Archive {
 public:
  static Outcome<Archive> open(const std::string& path);

  // The next member, which is valid until the following call; null at the end. The error names the member before.
  Outcome<archive_entry*> next();
  // Writes the contents of the member to `fd`, holes as holes. The error names it.
  Outcome<void> copy_to(int fd);
  // How much of the file has been read.
  [[nodiscard]] uint64_t consumed() const;

 private:
  using Handle = std::unique_ptr<archive, int (*)(archive*)>;
  explicit Archive(Handle handle) : handle_(std::move(handle)) {}
  std::unexpected<std::string> failed(const char* when) const;

  Handle handle_;
  std::string member_;
};

// A member's name without "." and doubled slashes, "" for the root itself. Refused: absolute, "..", no name.
Outcome<std::string> clean_name(const char* name);

}  // namespace osp::unpack
