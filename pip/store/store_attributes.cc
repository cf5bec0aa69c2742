// StoreTree: attributes by name.
#include <sys/stat.h>
#include <sys/xattr.h>

#include <charconv>

#include "pip/store/edit.h"
#include "pip/store/store_tree.h"
#include "pip/store/walked.h"

namespace osp::pip::store {
namespace {

constexpr size_t most_in_name = 255, most_in_value = 65536;  // xattr(7)
constexpr size_t most_together = 1U << 20;                   // of one file
constexpr std::string_view versions_name = "osp.versions";
constexpr std::string_view restore_name = "osp.restore";

std::optional<uint64_t> number_of(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

size_t size_of(const Inode& inode) {
  size_t size = 0;
  for (const auto& [name, value] : inode.attributes) size += name.size() + value.size();
  return size;
}

}  // namespace

Walked<std::string> StoreTree::get_attribute(std::string_view path, std::string_view name) {
  if (History::is_past(path)) return history_.get_attribute(path, name);
  OSP_ASSIGN(const NodePtr node, walk_node(path));
  if (name.starts_with(versions_name)) {
    const std::string_view rest = name.substr(versions_name.size());
    const auto before = rest.empty() ? UINT64_MAX : rest[0] == ':' ? number_of(rest.substr(1)) : std::nullopt;
    if (!before || !S_ISREG(node->inode().mode)) return refuse(before ? EOPNOTSUPP : ENODATA);
    return walked(history_.versions(node->id(), *before));
  }
  OSP_TRY(may_set(node->inode(), name, false));
  const auto found = node->inode().attributes.find(name);
  if (found == node->inode().attributes.end()) return refuse(ENODATA);
  return found->second;
}

// Whether this kind of file may have an attribute of this name.
Walked<void> StoreTree::may_set(const Inode& inode, std::string_view name, bool is_change) const {
  if (name.size() > most_in_name) return refuse(ERANGE);
  const bool is_users = name.starts_with("user.");
  const bool is_super = store_.identity().is_super();
  if (!is_users && !name.starts_with("security.") && !name.starts_with("trusted.")) return refuse(EOPNOTSUPP);
  if (is_users && !S_ISREG(inode.mode) && !S_ISDIR(inode.mode)) return refuse(is_change ? EPERM : ENODATA);
  if (!is_users && !is_super && is_change) return refuse(EPERM);
  if (is_users && !view_.may(inode, is_change ? 2 : 4)) return refuse(EACCES);
  return {};
}

Walked<void> StoreTree::set_attribute(std::string_view path, std::string_view name, std::string_view value, int flags) {
  if (History::is_past(path)) return refuse(EROFS);
  OSP_ASSIGN(const NodePtr node, walk_node(path));
  if (name == restore_name) {
    const auto number = number_of(value);
    if (!number || !S_ISREG(node->inode().mode)) return refuse(EINVAL);
    if (!view_.may(node->inode(), 2)) return refuse(EACCES);
    return walked(node->restore(*number));
  }
  OSP_TRY(may_set(node->inode(), name, true));
  const bool is_there = node->inode().attributes.contains(name);
  if (is_there && (flags & XATTR_CREATE) != 0) return refuse(EEXIST);
  if (!is_there && (flags & XATTR_REPLACE) != 0) return refuse(ENODATA);
  if (value.size() > most_in_value) return refuse(E2BIG);
  Edit edit(store_);
  Inode& inode = edit.of(node);
  inode.attributes[std::string(name)] = value;
  if (size_of(inode) > most_together) return refuse(ENOSPC);
  inode.ctime_ns = edit.now_ns();
  return walked(edit.apply());
}

Walked<void> StoreTree::remove_attribute(std::string_view path, std::string_view name) {
  if (History::is_past(path)) return refuse(EROFS);
  OSP_ASSIGN(const NodePtr node, walk_node(path));
  OSP_TRY(may_set(node->inode(), name, true));
  Edit edit(store_);
  Inode& inode = edit.of(node);
  const auto found = inode.attributes.find(name);
  if (found == inode.attributes.end()) return refuse(ENODATA);
  inode.attributes.erase(found);
  inode.ctime_ns = edit.now_ns();
  return walked(edit.apply());
}

Walked<std::vector<std::string>> StoreTree::list_attributes(std::string_view path) {
  if (History::is_past(path)) return history_.list_attributes(path);
  OSP_ASSIGN(const NodePtr node, walk_node(path));
  std::vector<std::string> names;
  for (const auto& [name, value] : node->inode().attributes)
    if (!name.starts_with("trusted.") || store_.identity().is_super()) names.push_back(name);
  return names;
}

}  // namespace osp::pip::store
