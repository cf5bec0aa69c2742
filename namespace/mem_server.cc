#include "namespace/mem_server.h"

#include <utility>

#include "namespace/mem_file.h"
#include "namespace/path.h"

namespace osp::ns {
namespace {

std::unexpected<pip::WalkError> failed(int code) { return std::unexpected(pip::WalkError(code)); }
std::unexpected<pip::WalkError> failed(Error error) { return failed(error.code); }

bool is_file_type(uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
    case S_IFDIR:
    case S_IFLNK:
    case S_IFCHR:
    case S_IFBLK:
    case S_IFIFO:
    case S_IFSOCK:
      return true;
    default:
      return false;
  }
}

// Whether a file that exists may be opened so; O_PATH needs no permission.
int open_error(const MemTree& tree, const MemNode& node, const pip::OpenMode& mode) {
  const bool writes = mode.write || mode.truncate || mode.append;
  if (mode.directory && !node.is(S_IFDIR)) return ENOTDIR;
  if (mode.path_only) return 0;
  if (node.is(S_IFDIR) && (writes || mode.create)) return EISDIR;
  const unsigned wanted = (mode.read ? 4U : 0U) | (writes ? 2U : 0U);
  if (!tree.permits(node, wanted)) return EACCES;
  return node.is(S_IFREG) || node.is(S_IFDIR) ? 0 : ENXIO;  // what is behind others is not the server's
}

pip::Walked<MemNodePtr> make_node(MemTree& tree, const MemName& at, const pip::NewFile& file) {
  if (at.name.size() > name_size_max) return failed(ENAMETOOLONG);
  if (!tree.permits(*at.directory, 3)) return failed(EACCES);
  auto node = tree.create(*at.directory, file);
  if (!node) return failed(node.error());
  if (auto added = tree.add(at, *node); !added) return failed(added.error());
  return std::move(*node);
}

}  // namespace

pip::Walked<pip::Opened> MemServer::open(std::string_view path, const pip::OpenMode& mode) {
  auto at = tree_->walk(path);
  if (!at) return std::unexpected(std::move(at.error()));
  const bool created = at->node == nullptr;
  if (created) {
    if (!mode.create) return failed(at->missing_error());
    auto node = make_node(*tree_, *at, {.mode = S_IFREG | (mode.permissions & 07777), .device = 0, .target = {}});
    if (!node) return std::unexpected(std::move(node.error()));
    at->node = std::move(*node);
  } else {
    if (mode.create && mode.exclusive) return failed(EEXIST);
    if (at->node->is(S_IFLNK) && !mode.path_only)
      return std::unexpected(pip::WalkError::link(path.size(), at->node->target));
    if (const int error = open_error(*tree_, *at->node, mode); error != 0) return failed(error);
    if (mode.truncate && !mode.path_only && at->node->is(S_IFREG)) {
      if (auto cut = at->node->contents.resize(0); !cut) return failed(cut.error());
      tree_->touch_contents(*at->node);
    }
  }
  const pip::Attributes attributes = tree_->describe(*at->node);
  return pip::Opened{std::make_unique<MemFile>(tree_, std::move(at->node), mode), attributes, created};
}

pip::Walked<pip::Attributes> MemServer::stat(std::string_view path) {
  const auto node = tree_->find(path);
  if (!node) return std::unexpected(node.error());
  return tree_->describe(**node);
}

pip::Walked<std::string> MemServer::read_link(std::string_view path) {
  const auto node = tree_->find(path);
  if (!node) return std::unexpected(node.error());
  if (!(*node)->is(S_IFLNK)) return failed(EINVAL);
  return (*node)->target;
}

pip::Walked<void> MemServer::change(std::string_view path, const pip::AttributeChange& change) {
  const auto node = tree_->find(path);
  if (!node) return std::unexpected(node.error());
  const auto done = change_node(*tree_, **node, change, tree_->permits(**node, 2));
  if (!done) return failed(done.error());
  return {};
}

pip::Walked<void> MemServer::make(std::string_view path, const pip::NewFile& file) {
  auto at = tree_->walk(path);
  if (!at) return std::unexpected(std::move(at.error()));
  if (at->node != nullptr) return failed(EEXIST);
  pip::NewFile wanted = file;
  if ((wanted.mode & S_IFMT) == 0) wanted.mode |= S_IFREG;
  if (!is_file_type(wanted.mode)) return failed(EINVAL);
  const bool link = (wanted.mode & S_IFMT) == S_IFLNK;
  if (link && (wanted.target.empty() || wanted.target.size() > path_size_max))
    return failed(wanted.target.empty() ? ENOENT : ENAMETOOLONG);
  auto node = make_node(*tree_, *at, wanted);
  if (!node) return std::unexpected(std::move(node.error()));
  return {};
}

pip::Walked<void> MemServer::remove(std::string_view path, bool directory) {
  const auto at = tree_->walk(path);
  if (!at) return std::unexpected(at.error());
  if (at->node == nullptr) return failed(at->missing_error());
  if (at->directory == nullptr) return failed(directory ? EBUSY : EISDIR);
  if (!tree_->permits(*at->directory, 3)) return failed(EACCES);
  if (at->node->is(S_IFDIR) != directory) return failed(directory ? ENOTDIR : EISDIR);
  if (!at->node->children.empty()) return failed(ENOTEMPTY);
  if (auto dropped = tree_->drop(*at); !dropped) return failed(dropped.error());
  if (directory) at->node->attributes.links = 0;
  return {};
}

Result<pip::FileSystemStat> MemServer::statfs() {
  constexpr uint64_t block = 4096, tmpfs_magic = 0x01021994, unlimited = uint64_t{1} << 44;
  const uint64_t used = tree_->budget().used();
  const uint64_t limit = std::max(used, std::min(tree_->budget().limit(), unlimited));
  const uint64_t free = (limit - used) / block;
  const uint64_t files_free = (limit - used) / MemTree::node_cost;
  return pip::FileSystemStat{.type = tmpfs_magic,
                             .block_size = block,
                             .blocks = limit / block,
                             .free = free,
                             .available = free,
                             .files = tree_->file_count() + files_free,
                             .files_free = files_free};
}

}  // namespace osp::ns
