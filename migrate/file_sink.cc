#include "migrate/file_sink.h"

#include <fcntl.h>
#include <fmt/format.h>

#include "base/raw_syscall.h"

namespace osp::migrate {
namespace {

constexpr int attempts = 16;

Result<uint64_t> random_number() {
  uint64_t number = 0;
  OSP_ASSIGN(const auto size, from_raw(raw::syscall(SYS_getrandom, &number, sizeof number, 0)));
  if (size != sizeof number) return fail(EIO);
  return number;
}

Result<int> open_at(int directory, const std::string& path, int flags, unsigned mode) {
  for (;;) {
    const auto fd = from_raw<int>(raw::syscall(SYS_openat, directory, path.c_str(), flags | O_CLOEXEC, mode));
    if (fd || fd.error() != Error(EINTR)) return fd;
  }
}

}  // namespace

Result<std::unique_ptr<FileSink>> FileSink::create(const std::string& path) {
  const size_t slash = path.rfind('/');
  std::unique_ptr<FileSink> sink(new FileSink);  // the constructor is private
  sink->name_ = slash == std::string::npos ? path : path.substr(slash + 1);
  if (path.empty()) return fail(ENOENT);
  if (sink->name_.empty() || sink->name_ == "." || sink->name_ == "..") return fail(EISDIR);
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  OSP_ASSIGN(sink->directory_, open_at(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY, 0));
  OSP_TRY(sink->open_temporary());
  return sink;
}

Result<void> FileSink::open_temporary() {
  for (int i = 0; i < attempts; ++i) {
    OSP_ASSIGN(const auto number, random_number());
    const std::string name = fmt::format("{}.{:08x}.tmp", name_, static_cast<uint32_t>(number));
    const auto fd = open_at(directory_, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (!fd && fd.error() == Error(EEXIST)) continue;
    if (!fd) return std::unexpected(fd.error());
    fd_ = *fd;
    temporary_ = name;
    return from_raw<void>(raw::syscall(SYS_fchmod, fd_, 0600));  // whatever the umask is
  }
  return fail(EEXIST);
}

FileSink::~FileSink() {
  if (fd_ >= 0) raw::close(fd_);
  if (!temporary_.empty()) raw::syscall(SYS_unlinkat, directory_, temporary_.c_str(), 0);
  if (directory_ >= 0) raw::close(directory_);
}

Result<void> FileSink::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto written = from_raw(raw::write(fd_, bytes.data(), bytes.size()));
    if (!written && written.error() == Error(EINTR)) continue;
    if (!written) return std::unexpected(written.error());
    if (*written == 0) return fail(EIO);
    bytes = bytes.subspan(static_cast<size_t>(*written));
  }
  return {};
}

Result<void> FileSink::commit() {
  OSP_TRY(from_raw<void>(raw::syscall(SYS_fsync, fd_)));
  OSP_TRY(from_raw<void>(raw::syscall(SYS_renameat, directory_, temporary_.c_str(), directory_, name_.c_str())));
  temporary_.clear();
  return from_raw<void>(raw::syscall(SYS_fsync, directory_));
}

}  // namespace osp::migrate
