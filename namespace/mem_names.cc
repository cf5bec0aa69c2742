#include <linux/fs.h>

#include <utility>

#include "namespace/mem_server.h"

// Operations of the memory file system on two names.
namespace osp::ns {
namespace {

std::unexpected<pip::WalkError> failed(int code, int which = 0) {
  pip::WalkError error(code);
  error.which = which;
  return std::unexpected(std::move(error));
}

bool is_strictly_within(std::string_view path, std::string_view directory) {
  return path.size() > directory.size() && path.starts_with(directory) && path[directory.size()] == '/';
}

// In the order in which Linux finds the faults.
int rename_error(const MemTree& tree, const MemName& a, const MemName& b, unsigned flags) {
  const bool exchange = (flags & RENAME_EXCHANGE) != 0;
  if (!tree.permits(*a.directory, 3) || !tree.permits(*b.directory, 3)) return EACCES;
  if (b.node == nullptr || exchange) return 0;
  if (a.node->is(S_IFDIR) != b.node->is(S_IFDIR)) return a.node->is(S_IFDIR) ? ENOTDIR : EISDIR;
  return b.node->children.empty() ? 0 : ENOTEMPTY;
}

int name_error(const MemName& a, const MemName& b, std::string_view from, std::string_view to, unsigned flags) {
  const bool exchange = (flags & RENAME_EXCHANGE) != 0;
  if (a.directory == nullptr || b.directory == nullptr) return EBUSY;
  if (a.node == nullptr) return a.missing_error();
  if (b.name.size() > name_size_max) return ENAMETOOLONG;
  if ((flags & RENAME_NOREPLACE) != 0 && b.node != nullptr) return EEXIST;
  if (exchange && b.node == nullptr) return ENOENT;
  if (is_strictly_within(to, from)) return EINVAL;
  if (is_strictly_within(from, to)) return exchange ? EINVAL : ENOTEMPTY;
  return 0;
}

}  // namespace

pip::Walked<void> MemServer::rename(std::string_view from, std::string_view to, unsigned flags) {
  constexpr unsigned known = RENAME_NOREPLACE | RENAME_EXCHANGE;
  if ((flags & ~known) != 0 || flags == known) return failed(EINVAL);
  auto a = tree_->walk(from);
  if (!a) return std::unexpected(std::move(a.error()));
  auto b = tree_->walk(to);
  if (!b) {
    b.error().which = 1;
    return std::unexpected(std::move(b.error()));
  }
  if (const int error = name_error(*a, *b, from, to, flags); error != 0) return failed(error);
  if (a->node == b->node) return {};
  if (const int error = rename_error(*tree_, *a, *b, flags); error != 0) return failed(error);
  const MemNodePtr replaced = b->node;
  auto done = tree_->drop(*a);
  if (done && replaced != nullptr) done = tree_->drop(*b);
  if (done) done = tree_->add(*b, a->node);
  if (done && (flags & RENAME_EXCHANGE) != 0) done = tree_->add(*a, replaced);
  if (!done) return failed(done.error().code);
  if ((flags & RENAME_EXCHANGE) == 0 && replaced != nullptr && replaced->is(S_IFDIR)) replaced->attributes.links = 0;
  return {};
}

pip::Walked<void> MemServer::link(std::string_view from, std::string_view to) {
  const auto node = tree_->find(from);
  if (!node) return std::unexpected(node.error());
  auto name = tree_->walk(to);
  if (!name) {
    name.error().which = 1;
    return std::unexpected(std::move(name.error()));
  }
  if (name->node != nullptr) return failed(EEXIST, 1);
  if (name->name.size() > name_size_max) return failed(ENAMETOOLONG, 1);
  if ((*node)->is(S_IFDIR)) return failed(EPERM);
  if (auto added = tree_->add(*name, *node); !added) return failed(added.error().code, 1);
  tree_->touch_status(**node);
  return {};
}

}  // namespace osp::ns
