#include "tools/unpack/archive.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

namespace osp::unpack {
namespace {

constexpr size_t block_size = 1 << 18;

Outcome<void> write_at(int fd, const char* data, size_t size, off_t offset) {
  while (size > 0) {
    const ssize_t written = pwrite(fd, data, size, offset);
    if (written < 0) return wrong(strerror(errno));
    data += written, offset += written, size -= static_cast<size_t>(written);
  }
  return {};
}

}  // namespace

Outcome<Archive> Archive::open(const std::string& path) {
  Handle handle(archive_read_new(), archive_read_free);
  if (handle == nullptr) return wrong("out of memory");
  archive_read_support_format_tar(handle.get());
  // Not all that there are: for some libarchive starts other programs.
  archive_read_support_filter_gzip(handle.get());
  archive_read_support_filter_bzip2(handle.get());
  archive_read_support_filter_xz(handle.get());
  archive_read_support_filter_lzma(handle.get());
  archive_read_support_filter_zstd(handle.get());
  Archive archive(std::move(handle));
  if (archive_read_open_filename(archive.handle_.get(), path.c_str(), block_size) != ARCHIVE_OK)
    return archive.failed("cannot be read");
  return archive;
}

std::unexpected<std::string> Archive::failed(const char* when) const {
  const char* why = archive_error_string(handle_.get());
  const std::string_view reason = why != nullptr ? why : "no reason is given";
  if (member_.empty())
    return wrong(fmt::format("{}: {}; a root is a tar (plain, or by gzip, bzip2, xz or zstd) or an image archive", when,
                             reason));
  return wrong(fmt::format("{} member '{}': {}; is the archive whole?", when, member_, reason));
}

Outcome<archive_entry*> Archive::next() {
  archive_entry* entry = nullptr;
  const int result = archive_read_next_header(handle_.get(), &entry);
  if (result == ARCHIVE_EOF) return nullptr;
  if (result != ARCHIVE_OK && result != ARCHIVE_WARN) return failed("is damaged after");
  const char* name = archive_entry_pathname(entry);
  member_ = name != nullptr ? name : "";
  return entry;
}

Outcome<void> Archive::copy_to(int fd) {
  for (;;) {
    const void* data = nullptr;
    size_t size = 0;
    int64_t offset = 0;
    const int result = archive_read_data_block(handle_.get(), &data, &size, &offset);
    if (result == ARCHIVE_EOF) {
      if (ftruncate(fd, offset) == 0) return {};
      return wrong(fmt::format("member '{}': {}", member_, strerror(errno)));
    }
    if (result != ARCHIVE_OK) return failed("is damaged in");
    if (auto written = write_at(fd, static_cast<const char*>(data), size, offset); !written)
      return wrong(fmt::format("member '{}' cannot be written: {}", member_, written.error()));
  }
}

uint64_t Archive::consumed() const {
  const int64_t count = archive_filter_bytes(handle_.get(), -1);
  return count > 0 ? static_cast<uint64_t>(count) : 0;
}

Outcome<std::string> clean_name(const char* name) {
  if (name == nullptr || *name == '\0') return wrong("a member has no name that can be read");
  std::string_view rest = name;
  if (rest.starts_with('/'))
    return wrong(fmt::format("member '{}' has an absolute name; names are to begin in the root", name));
  std::string clean;
  while (!rest.empty()) {
    const size_t slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
    if (part == "..") return wrong(fmt::format("member '{}' leads out of the root by '..'", name));
    if (part.empty() || part == ".") continue;
    if (!clean.empty()) clean += '/';
    clean += part;
  }
  return clean;
}

}  // namespace osp::unpack
