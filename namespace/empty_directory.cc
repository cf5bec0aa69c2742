#include "namespace/empty_directory.h"

#include <sys/stat.h>

namespace osp::ns {
namespace {

pip::Attributes attributes() { return {.id = 1, .mode = S_IFDIR | 0555, .links = 2}; }

std::unexpected<pip::WalkError> failed(int code) { return std::unexpected(pip::WalkError(code)); }

// EROFS for the root, ENOENT for what is not there.
std::unexpected<pip::WalkError> refused(std::string_view path) { return failed(path.empty() ? EROFS : ENOENT); }

class EmptyFile final : public pip::File {
 public:
  Result<size_t> read(uint64_t, std::span<std::byte>) override { return fail(EISDIR); }
  Result<size_t> write(uint64_t, std::span<const std::byte>) override { return fail(EBADF); }
  Result<std::vector<pip::DirectoryEntry>> read_directory(uint64_t, size_t) override {
    return std::vector<pip::DirectoryEntry>();
  }
  Result<pip::Attributes> stat() override { return attributes(); }
};

}  // namespace

pip::Walked<pip::Opened> EmptyDirectory::open(std::string_view path, const pip::OpenMode& mode) {
  if (!path.empty()) return failed(mode.create && !path.contains('/') ? EROFS : ENOENT);
  if (mode.create) return failed(mode.exclusive ? EEXIST : EISDIR);
  if (mode.write) return failed(EISDIR);
  return pip::Opened{.file = std::make_unique<EmptyFile>(), .attributes = attributes()};
}

pip::Walked<pip::Attributes> EmptyDirectory::stat(std::string_view path) {
  if (!path.empty()) return failed(ENOENT);
  return attributes();
}

pip::Walked<std::string> EmptyDirectory::read_link(std::string_view path) {
  return failed(path.empty() ? EINVAL : ENOENT);
}

pip::Walked<void> EmptyDirectory::change(std::string_view path, const pip::AttributeChange&) { return refused(path); }
pip::Walked<void> EmptyDirectory::make(std::string_view path, const pip::NewFile&) {
  return failed(path.empty() ? EEXIST : path.contains('/') ? ENOENT : EROFS);
}
pip::Walked<void> EmptyDirectory::remove(std::string_view path, bool) { return refused(path); }
pip::Walked<void> EmptyDirectory::rename(std::string_view from, std::string_view, unsigned) { return refused(from); }
pip::Walked<void> EmptyDirectory::link(std::string_view from, std::string_view) { return refused(from); }

Result<pip::FileSystemStat> EmptyDirectory::statfs() { return pip::FileSystemStat{.files = 1}; }

}  // namespace osp::ns
