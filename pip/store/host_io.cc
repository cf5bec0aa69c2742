#include "pip/store/host_io.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "pip/host_walk.h"

namespace osp::pip::store {

Result<size_t> read_at(int fd, uint64_t offset, std::span<std::byte> into) {
  size_t done = 0;
  while (done < into.size()) {
    const ssize_t got = pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(errno);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return done;
}

Result<void> write_at(int fd, uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail(errno);
    if (put == 0) return fail(ENOSPC);
    bytes.remove_prefix(static_cast<size_t>(put));
    offset += static_cast<size_t>(put);
  }
  return {};
}

Result<void> sync_directory(const std::string& directory) {
  const HostFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0 || fsync(fd.get()) != 0) return fail(errno);
  return {};
}

Result<void> write_file(const std::string& path, std::string_view contents) {
  const std::string fresh = path + ".new";
  const HostFd fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (fd.get() < 0) return fail(errno);
  OSP_TRY(write_at(fd.get(), 0, contents));
  if (fsync(fd.get()) != 0 || ::rename(fresh.c_str(), path.c_str()) != 0) return fail(errno);
  return sync_directory(path.substr(0, path.rfind('/') + 1));
}

Result<std::string> read_file(const std::string& path) {
  const HostFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return fail(errno);
  std::array<std::byte, 4096> buffer;
  OSP_ASSIGN(const size_t size, read_at(fd.get(), 0, buffer));
  return std::string(reinterpret_cast<const char*>(buffer.data()), size);
}

}  // namespace osp::pip::store
