#include "libosp/file/opener.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/raw_syscall.h"
#include "libosp/host/window.h"
#include "libosp/task/process.h"

namespace osp::file {

ProgramFile::ProgramFile(ProgramFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      served_(std::move(other.served_)),
      path_(std::move(other.path_)),
      size_(other.size_),
      backing_(std::move(other.backing_)) {}

ProgramFile& ProgramFile::operator=(ProgramFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  served_ = std::move(other.served_);
  path_ = std::move(other.path_);
  size_ = other.size_;
  backing_ = std::move(other.backing_);
  return *this;
}

ProgramFile::~ProgramFile() {
  if (fd_ >= 0) raw::close(fd_);
}

ProgramFile ProgramFile::of_host(int fd, std::string path, uint64_t device, uint64_t inode, uint64_t size) {
  ProgramFile file;
  file.fd_ = fd, file.path_ = std::move(path), file.size_ = size;
  file.backing_ = std::make_shared<memory::Backing>();
  file.backing_->path = file.path_, file.backing_->device = device, file.backing_->inode = inode;
  return file;
}

ProgramFile ProgramFile::of_server(std::unique_ptr<pip::File> served, std::string path, const pip::Attributes& attributes) {
  ProgramFile file;
  file.served_ = std::move(served), file.path_ = std::move(path), file.size_ = attributes.size;
  file.backing_ = std::make_shared<memory::Backing>();
  file.backing_->path = file.path_, file.backing_->inode = attributes.id;
  return file;
}

Result<size_t> ProgramFile::read_at(uint64_t offset, std::span<std::byte> into) {
  if (fd_ < 0) return served_->read(offset, into);
  return from_raw<size_t>(raw::syscall(SYS_pread64, fd_, into.data(), into.size(), offset));
}

Result<void> ProgramFile::map(memory::AddressSpace& memory, uintptr_t address, size_t size, int protection, uint64_t offset) {
  const int flags = MAP_PRIVATE | MAP_FIXED;
  int fd = fd_;
  uint64_t at = offset;
  if (fd < 0) {
    OSP_ASSIGN(const pip::PageRange pages, served_->map(offset, size, false));
    fd = pages.fd, at = pages.fd_offset;
  }
  auto mapped = memory.map(address, size, protection, flags, fd, at, backing_);
  if (!mapped) return std::unexpected(mapped.error());
  return {};
}

Result<ProgramFile> open_program(task::Thread&, int directory_fd, const std::string& path, int flags) {
  if (path.empty() && (flags & AT_EMPTY_PATH) == 0) return fail(ENOENT);
  const long check = raw::syscall(SYS_faccessat2, directory_fd, path.c_str(), X_OK, AT_EACCESS | (flags & (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)));
  if (check < 0) return fail(static_cast<int>(-check));
  long fd = 0;
  if (path.empty()) {
    fd = raw::syscall(SYS_fcntl, directory_fd, F_DUPFD_CLOEXEC, 0);
  } else {
    fd = raw::syscall(SYS_openat, directory_fd, path.c_str(), O_RDONLY | O_CLOEXEC | ((flags & AT_SYMLINK_NOFOLLOW) != 0 ? O_NOFOLLOW : 0), 0);
  }
  if (fd < 0) return fail(static_cast<int>(-fd));
  struct stat st = {};
  raw::syscall(SYS_fstat, fd, &st);
  char link[64], target[4096];
  *fmt::format_to(link, "/proc/self/fd/{}", fd) = '\0';
  const long size = raw::syscall(SYS_readlink, link, target, sizeof target);
  std::string resolved = size > 0 ? std::string(target, static_cast<size_t>(size)) : path;
  ProgramFile file = ProgramFile::of_host(static_cast<int>(fd), std::move(resolved), st.st_dev, st.st_ino, static_cast<uint64_t>(st.st_size));
  if (!S_ISREG(st.st_mode)) return fail(EACCES);
  return file;
}

}  // namespace osp::file
