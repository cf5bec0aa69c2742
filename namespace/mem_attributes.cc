#include <sys/xattr.h>

#include <utility>

#include "namespace/mem_server.h"

// Attributes by name, xattr(7), of the memory file system.
namespace osp::ns {
namespace {

constexpr size_t name_max = 255, value_max = 65536, node_total_max = 256 * 1024;

std::unexpected<pip::WalkError> failed(int code) { return std::unexpected(pip::WalkError(code)); }

// 0, or what is wrong with the name itself.
int name_error(std::string_view name) {
  if (name.empty() || name.size() > name_max) return ERANGE;
  return name.starts_with("user.") && name.size() > 5 ? 0 : EOPNOTSUPP;
}

size_t total_of(const MemNode& node) {
  size_t total = 0;
  for (const auto& [name, value] : node.extended) total += name.size() + value.size();
  return total;
}

// user.* belongs to files and directories only, and follows their permissions.
int set_error(const MemTree& tree, const MemNode& node) {
  if (!node.is(S_IFREG) && !node.is(S_IFDIR)) return EPERM;
  return tree.permits(node, 2) ? 0 : EACCES;
}

}  // namespace

pip::Walked<std::string> MemServer::get_attribute(std::string_view path, std::string_view name) {
  const auto node = tree_->find(path);
  if (!node) return std::unexpected(node.error());
  if (const int error = name_error(name); error != 0) return failed(error);
  if (!tree_->permits(**node, 4)) return failed(EACCES);
  const auto found = (*node)->extended.find(name);
  if (found == (*node)->extended.end()) return failed(ENODATA);
  return found->second;
}

pip::Walked<void> MemServer::set_attribute(std::string_view path, std::string_view name, std::string_view value,
                                           int flags) {
  const auto found = tree_->find(path);
  if (!found) return std::unexpected(found.error());
  if (const int error = name_error(name); error != 0) return failed(error);
  if (value.size() > value_max) return failed(E2BIG);
  MemNode& node = **found;
  if (const int error = set_error(*tree_, node); error != 0) return failed(error);
  const auto old = node.extended.find(name);
  const bool exists = old != node.extended.end();
  if (exists && (flags & XATTR_CREATE) != 0) return failed(EEXIST);
  if (!exists && (flags & XATTR_REPLACE) != 0) return failed(ENODATA);
  const size_t freed = exists ? name.size() + old->second.size() : 0;
  if (total_of(node) - freed + name.size() + value.size() > node_total_max) return failed(ENOSPC);
  node.extended.insert_or_assign(std::string(name), std::string(value));
  tree_->touch_status(node);
  return {};
}

pip::Walked<void> MemServer::remove_attribute(std::string_view path, std::string_view name) {
  const auto node = tree_->find(path);
  if (!node) return std::unexpected(node.error());
  if (const int error = name_error(name); error != 0) return failed(error);
  if (const int error = set_error(*tree_, **node); error != 0) return failed(error);
  const auto found = (*node)->extended.find(name);
  if (found == (*node)->extended.end()) return failed(ENODATA);
  (*node)->extended.erase(found);
  tree_->touch_status(**node);
  return {};
}

pip::Walked<std::vector<std::string>> MemServer::list_attributes(std::string_view path) {
  const auto node = tree_->find(path);
  if (!node) return std::unexpected(node.error());
  std::vector<std::string> names;
  for (const auto& [name, value] : (*node)->extended) names.push_back(name);
  return names;
}

}  // namespace osp::ns
