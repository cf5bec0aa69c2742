#include "pip/server.h"

namespace osp::pip {

Result<uint64_t> File::append(std::span<const std::byte>) { return fail(EBADF); }
Result<std::vector<DirectoryEntry>> File::read_directory(uint64_t, size_t) { return fail(ENOTDIR); }
Result<void> File::change(const AttributeChange&) { return fail(EROFS); }
Result<PageRange> File::map(uint64_t, uint64_t, bool) { return fail(ENODEV); }

Walked<Attributes> Server::follow(std::string_view path) {
  auto target = read_link(path);
  if (!target) return std::unexpected(target.error());
  if (target->empty()) return std::unexpected(WalkError(ENOENT));
  return std::unexpected(WalkError::link(path.size(), std::move(*target)));
}

bool Server::parents_are_plain(std::string_view) { return false; }

Result<int> Server::fifo(uint64_t) { return fail(ENXIO); }

Walked<std::string> Server::watch(std::string_view) { return std::unexpected(WalkError(EOPNOTSUPP)); }

Walked<std::string> Server::get_attribute(std::string_view, std::string_view) {
  return std::unexpected(WalkError(EOPNOTSUPP));
}
Walked<void> Server::set_attribute(std::string_view, std::string_view, std::string_view, int) {
  return std::unexpected(WalkError(EOPNOTSUPP));
}
Walked<void> Server::remove_attribute(std::string_view, std::string_view) {
  return std::unexpected(WalkError(EOPNOTSUPP));
}
Walked<std::vector<std::string>> Server::list_attributes(std::string_view) {
  return std::unexpected(WalkError(EOPNOTSUPP));
}

}  // namespace osp::pip
