#include "tools/osp_boot_cpio.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "libosp/native/cpio.h"
#include "pip/host_walk.h"

namespace osp::tools {
namespace {

constexpr uint64_t page_size = 4096, size_max = UINT32_MAX;
// What is worth a frame of its own: smaller ones would make the archive larger.
constexpr uint64_t large_size = 16 * 1024;
constexpr size_t size_at = 6 + 8 * static_cast<size_t>(native::CpioField::size);  // in a header

std::unexpected<std::string> failed(std::string_view what, int error) {
  return std::unexpected(fmt::format("{}: {}", what, strerror(error)));
}

std::unexpected<std::string> too_large(std::string_view what) {
  return std::unexpected(fmt::format("{}: is too large for the archive, which holds 4 GiB at most", what));
}

}  // namespace

BootResult<void> write_all(int fd, uint64_t at, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return failed("cannot write the boot archive", errno);
    bytes.remove_prefix(static_cast<size_t>(written));
    at += static_cast<uint64_t>(written);
  }
  return {};
}

BootResult<void> CpioWriter::put(std::string_view bytes) {
  auto done = write_all(fd_, at_, bytes);
  at_ += bytes.size();
  return done;
}

BootResult<void> CpioWriter::pad() {
  constexpr char zeros[native::cpio_alignment] = {};
  const uint64_t size = at_ - begin_;
  return put(std::string_view(zeros, native::cpio_aligned(size) - size));
}

BootResult<void> CpioWriter::put_header(const ArchivedFile& file, uint64_t size) {
  if (size > size_max) return too_large(file.name);
  const uint64_t named = at_ - begin_ + native::cpio_header_size + file.name.size() + 1;
  const uint64_t aligned =
      size < page_size ? native::cpio_aligned(named) : (named + page_size - 1) / page_size * page_size;
  const uint64_t fill = size < page_size ? 0 : aligned - named;  // NULs that belong to the name
  const auto mtime = static_cast<uint32_t>(std::clamp<int64_t>(file.mtime, 0, UINT32_MAX));
  std::string header =
      fmt::format("{}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}",
                  native::cpio_magic, file.inode, file.mode, file.uid, file.gid, file.links, mtime, size, 0, 0,
                  major(file.special), minor(file.special), file.name.size() + 1 + fill, 0);
  header.append(file.name).resize(aligned - (at_ - begin_));
  if (size >= large_size) large_.push_back({.begin = aligned, .size = size});
  return put(header);
}

BootResult<void> CpioWriter::add(const ArchivedFile& file, std::string_view contents) {
  if (auto done = put_header(file, contents.size()); !done) return done;
  if (auto done = put(contents); !done) return done;
  return pad();
}

BootResult<void> CpioWriter::add(const ArchivedFile& file, const std::string& source, uint64_t size) {
  if (auto done = put_header(file, size); !done) return done;
  const pip::HostFd fd(open(source.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (fd.get() < 0) return failed(source, errno);
  std::vector<char> buffer(std::min<uint64_t>(size, 1 << 20));
  for (uint64_t left = size; left > 0;) {
    const ssize_t count = read(fd.get(), buffer.data(), std::min<uint64_t>(left, buffer.size()));
    if (count < 0) return failed(source, errno);
    if (count == 0) return std::unexpected(source + ": became shorter while it was read");
    if (auto done = put(std::string_view(buffer.data(), static_cast<size_t>(count))); !done) return done;
    left -= static_cast<uint64_t>(count);
  }
  return pad();
}

BootResult<uint64_t> CpioWriter::begin_file(const ArchivedFile& file) {
  open_header_ = at_;
  if (auto done = put_header(file, page_size); !done) return std::unexpected(done.error());  // end_file() mends it
  open_contents_ = at_;
  return at_;
}

BootResult<void> CpioWriter::end_file(uint64_t end) {
  const uint64_t size = end - open_contents_;
  if (size > size_max) return too_large("the root archive");
  at_ = end;
  if (auto done = pad(); !done) return done;
  return write_all(fd_, open_header_ + size_at, fmt::format("{:08X}", size));
}

BootResult<uint64_t> CpioWriter::finish() {
  const ArchivedFile trailer{.name = std::string(native::cpio_trailer)};
  if (auto done = add(trailer, std::string_view()); !done) return std::unexpected(done.error());
  return at_;
}

}  // namespace osp::tools
