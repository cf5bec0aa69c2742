#include "migrate/source.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstring>

#include "base/raw_syscall.h"

namespace osp::migrate {

Result<std::unique_ptr<FileSource>> FileSource::open(const std::string& path) {
  OSP_ASSIGN(const int fd, from_raw<int>(raw::syscall(SYS_openat, AT_FDCWD, path.c_str(),
                                                      O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0)));
  return adopt(fd);
}

Result<std::unique_ptr<FileSource>> FileSource::adopt(int fd) {
  std::unique_ptr<FileSource> source(new FileSource(fd));  // the constructor is private
  struct stat status;
  OSP_TRY(from_raw<void>(raw::syscall(SYS_fstat, fd, &status)));
  if (!S_ISREG(status.st_mode)) return fail(EINVAL);
  source->size_ = static_cast<uint64_t>(status.st_size);
  return source;
}

FileSource::~FileSource() { raw::close(fd_); }

Result<void> FileSource::read(uint64_t offset, std::span<std::byte> into) {
  while (!into.empty()) {
    const auto count = from_raw(raw::syscall(SYS_pread64, fd_, into.data(), into.size(), offset));
    if (!count && count.error() == Error(EINTR)) continue;
    if (!count) return std::unexpected(count.error());
    if (*count == 0) return fail(EIO);
    offset += static_cast<uint64_t>(*count);
    into = into.subspan(static_cast<size_t>(*count));
  }
  return {};
}

Result<void> MemorySource::read(uint64_t offset, std::span<std::byte> into) {
  if (offset > bytes_.size() || into.size() > bytes_.size() - offset) return fail(EIO);
  if (!into.empty()) std::memcpy(into.data(), bytes_.data() + offset, into.size());
  return {};
}

}  // namespace osp::migrate
