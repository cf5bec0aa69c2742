#pragma once

#include <memory>
#include <string>

#include "migrate/sink.h"

namespace osp::migrate {

// A file that appears under its name only when it is whole. It is written with mode 0600 under a temporary name
// in the same directory; commit() syncs it, renames it over `path`, and syncs the directory. Destroyed without a
// successful commit, it removes the temporary file, and what `path` named before is untouched.
// Only raw system calls; not for signal handlers (it allocates).
class FileSink final : public Sink {
 public:
  // Errors of open(2); ENAMETOOLONG where the last component leaves no room for the temporary name's suffix;
  // EISDIR for a path that ends in '/', "." or "..".
  static Result<std::unique_ptr<FileSink>> create(const std::string& path);

  FileSink(const FileSink&) = delete;
  FileSink& operator=(const FileSink&) = delete;
  ~FileSink() override;

  Result<void> write(std::span<const std::byte> bytes) override;  // errors of write(2); EIO
  Result<void> commit() override;  // errors of fsync(2), rename(2); if only the last sync fails, the file is there

 private:
  FileSink() = default;
  Result<void> open_temporary();

  int directory_ = -1;
  int fd_ = -1;
  std::string name_;       // in directory_
  std::string temporary_;  // empty: there is none (any more)
};

}  // namespace osp::migrate
