#include "pip/host_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>

namespace osp::pip {
namespace {

constexpr int64_t ns_per_s = 1'000'000'000;
constexpr size_t listing_buffer = 32768;
constexpr int64_t own_offset = -1;  // the open file's, which an append moves

int64_t nanoseconds(const statx_timestamp& time) { return time.tv_sec * ns_per_s + time.tv_nsec; }

timespec time_of(bool has, int64_t ns) {
  if (!has) return {.tv_sec = 0, .tv_nsec = UTIME_OMIT};
  if (ns == AttributeChange::now) return {.tv_sec = 0, .tv_nsec = UTIME_NOW};
  const int64_t part = ((ns % ns_per_s) + ns_per_s) % ns_per_s;
  return {.tv_sec = (ns - part) / ns_per_s, .tv_nsec = part};
}

std::string proc_path(int fd) { return fmt::format("/proc/self/fd/{}", fd); }

// Mode and size of a file that is only open with O_PATH: fchmod(2) and ftruncate(2) refuse such fds.
Result<void> set_mode(int fd, uint32_t mode) {
  const long done = raw::syscall(SYS_fchmod, fd, mode);
  if (done != -EBADF) return from_raw<void>(done);
  const auto attributes = host_stat(fd, "", 0);
  if (!attributes) return std::unexpected(attributes.error());
  if (S_ISLNK(attributes->mode)) return fail(EOPNOTSUPP);
  return from_raw<void>(raw::syscall(SYS_fchmodat, AT_FDCWD, proc_path(fd).c_str(), mode));
}

Result<void> set_size(int fd, uint64_t size) {
  const long done = raw::syscall(SYS_ftruncate, fd, size);
  if (done != -EBADF) return from_raw<void>(done);
  return from_raw<void>(raw::syscall(SYS_truncate, proc_path(fd).c_str(), size));
}

// The kernel's linux_dirent64: d_ino[8] d_off[8] d_reclen[2] d_type[1] d_name.
constexpr size_t dirent_size_at = 16;
constexpr size_t dirent_name_at = 19;

void take_names(std::string_view entries, std::vector<std::string>& names) {
  while (entries.size() > dirent_name_at) {
    uint16_t size = 0;
    memcpy(&size, entries.data() + dirent_size_at, sizeof size);
    const char* name = entries.data() + dirent_name_at;
    if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) names.emplace_back(name);
    entries.remove_prefix(std::min<size_t>(size, entries.size()));
  }
}

std::string link_target(int directory, const char* name) {
  std::array<char, 4096> target;
  const long size = raw::syscall(SYS_readlinkat, directory, name, target.data(), target.size());
  return size > 0 ? std::string(target.data(), static_cast<size_t>(size)) : std::string();
}

}  // namespace

Result<Attributes> host_stat(int directory, const char* name, uint64_t root_device) {
  struct statx s {};
  OSP_TRY(from_raw<void>(raw::syscall(SYS_statx, directory, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
                                      STATX_BASIC_STATS, &s)));
  const uint64_t device = makedev(s.stx_dev_major, s.stx_dev_minor);
  Attributes a;
  a.id = device == root_device || root_device == 0 ? s.stx_ino : s.stx_ino ^ (device * 0x9e3779b97f4a7c15U);
  a.mode = s.stx_mode, a.uid = s.stx_uid, a.gid = s.stx_gid, a.links = s.stx_nlink;
  a.device = makedev(s.stx_rdev_major, s.stx_rdev_minor), a.size = s.stx_size, a.blocks = s.stx_blocks;
  a.atime_ns = nanoseconds(s.stx_atime), a.mtime_ns = nanoseconds(s.stx_mtime), a.ctime_ns = nanoseconds(s.stx_ctime);
  a.version = static_cast<uint64_t>(a.ctime_ns);  // any change of the contents changes it
  return a;
}

Result<void> host_change(int fd, const AttributeChange& c) {
  if (c.has_size) OSP_TRY(set_size(fd, c.size));
  if (c.has_uid || c.has_gid) {
    const uint32_t uid = c.has_uid ? c.uid : UINT32_MAX;
    const uint32_t gid = c.has_gid ? c.gid : UINT32_MAX;
    OSP_TRY(from_raw<void>(raw::syscall(SYS_fchownat, fd, "", uid, gid, AT_EMPTY_PATH)));
  }
  if (c.has_mode) OSP_TRY(set_mode(fd, c.mode & 07777U));
  if (c.has_atime || c.has_mtime) {
    const std::array<timespec, 2> times = {time_of(c.has_atime, c.atime_ns), time_of(c.has_mtime, c.mtime_ns)};
    OSP_TRY(from_raw<void>(raw::syscall(SYS_utimensat, fd, "", times.data(), AT_EMPTY_PATH)));
  }
  return {};
}

Result<size_t> HostFile::read(uint64_t offset, std::span<std::byte> into) {
  long got = 0;
  do {
    got = raw::syscall(SYS_pread64, fd_.get(), into.data(), into.size(), offset);
    if (got == -ESPIPE) got = raw::read(fd_.get(), into.data(), into.size());
  } while (got == -EINTR);
  return from_raw<size_t>(got);
}

Result<size_t> HostFile::write(uint64_t offset, std::span<const std::byte> from) {
  size_t done = 0;
  while (done < from.size()) {
    long put = raw::syscall(SYS_pwrite64, fd_.get(), from.data() + done, from.size() - done, offset + done);
    if (put == -ESPIPE) put = raw::write(fd_.get(), from.data() + done, from.size() - done);
    if (put == -EINTR) continue;
    if (put < 0 && done == 0) return fail(static_cast<int>(-put));
    if (put <= 0) break;  // what was written counts; the error comes with the next call
    done += static_cast<size_t>(put);
  }
  return done;
}

Result<uint64_t> HostFile::append(std::span<const std::byte> from) {
  size_t done = 0;
  while (done < from.size()) {
    const iovec part{.iov_base = const_cast<std::byte*>(from.data() + done), .iov_len = from.size() - done};
    const long put = raw::syscall(SYS_pwritev2, fd_.get(), &part, 1, own_offset, own_offset, RWF_APPEND);
    if (put == -EINTR) continue;
    if (put < 0 && done == 0) return fail(static_cast<int>(-put));
    if (put <= 0) break;
    done += static_cast<size_t>(put);
  }
  return from_raw<uint64_t>(raw::syscall(SYS_lseek, fd_.get(), 0, SEEK_CUR));
}

Result<void> HostFile::list_names() {
  names_.clear();
  OSP_TRY(from_raw<void>(raw::syscall(SYS_lseek, fd_.get(), 0, SEEK_SET)));
  std::string buffer(listing_buffer, '\0');
  while (true) {
    OSP_ASSIGN(const size_t size,
               from_raw<size_t>(raw::syscall(SYS_getdents64, fd_.get(), buffer.data(), buffer.size())));
    if (size == 0) break;
    take_names(std::string_view(buffer).substr(0, size), names_);
  }
  listed_ = true;
  return {};
}

Result<std::vector<DirectoryEntry>> HostFile::read_directory(uint64_t first, size_t count) {
  if (first == 0 || !listed_) OSP_TRY(list_names());
  std::vector<DirectoryEntry> entries;
  while (first + entries.size() < names_.size() && entries.size() < count) {
    const size_t at = first + entries.size();
    const char* name = names_[at].c_str();
    auto attributes = host_stat(fd_.get(), name, root_device_);
    if (!attributes) {  // gone meanwhile: as if it had never been listed
      names_.erase(names_.begin() + static_cast<ptrdiff_t>(at));
      continue;
    }
    std::string target = S_ISLNK(attributes->mode) ? link_target(fd_.get(), name) : std::string();
    entries.push_back({.name = names_[at], .attributes = *attributes, .target = std::move(target)});
  }
  return entries;
}

Result<Attributes> HostFile::stat() { return host_stat(fd_.get(), "", root_device_); }

Result<void> HostFile::commit() { return from_raw<void>(raw::syscall(SYS_fsync, fd_.get())); }

Result<void> HostFile::close() {
  if (drop_ != nullptr) {
    drop_(fd_.release());
    return {};
  }
  const long closed = raw::close(fd_.release());
  return closed == -EINTR ? Result<void>{} : from_raw<void>(closed);  // Linux has closed it all the same
}

Result<PageRange> HostFile::map(uint64_t offset, uint64_t size, bool) {
  OSP_ASSIGN(const Attributes attributes, stat());
  if (!S_ISREG(attributes.mode) && !S_ISCHR(attributes.mode)) return fail(ENODEV);
  return PageRange{.fd = fd_.get(), .fd_offset = offset, .size = size};
}

}  // namespace osp::pip
