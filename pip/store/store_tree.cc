#include "pip/store/store_tree.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/log.h"
#include "pip/store/edit.h"
#include "pip/store/keys.h"
#include "pip/store/store_file.h"
#include "pip/store/walked.h"

namespace osp::pip::store {
namespace {

constexpr uint64_t file_system_type = 0x6f737073;  // "osps"

bool changes(const OpenMode& mode) { return mode.write || mode.truncate || mode.create; }

Walked<void> check_kind(uint32_t kind, const OpenMode& mode) {
  if (mode.directory && !S_ISDIR(kind)) return refuse(ENOTDIR);
  if (mode.path_only) return {};
  if (S_ISDIR(kind) && changes(mode)) return refuse(EISDIR);
  if (!S_ISDIR(kind) && !S_ISREG(kind)) return refuse(ENXIO);
  return {};
}

}  // namespace

StoreTree::~StoreTree() = default;

Result<NodePtr> StoreTree::node(uint64_t id) {
  auto& known = nodes_[id];
  if (NodePtr there = known.lock()) return there;
  auto loaded = Node::load(store_, id);
  if (!loaded) {
    nodes_.erase(id);
    return loaded;
  }
  known = *loaded;
  if (nodes_.size() > purge_above_) {
    std::erase_if(nodes_, [](const auto& one) { return one.second.expired(); });
    purge_above_ = 2 * nodes_.size() + 1024;
  }
  return loaded;
}

Walked<NodePtr> StoreTree::walk_node(std::string_view path) {
  OSP_ASSIGN(const Entry entry, view_.walk(path));
  return walked(node(entry.id));
}

Walked<Opened> StoreTree::open_node(const Entry& entry, const OpenMode& mode, bool created) {
  OSP_TRY(check_kind(entry.kind, mode));
  OSP_ASSIGN(const NodePtr node, walked(this->node(entry.id)));
  const uint32_t bits = mode.path_only || created ? 0 : (mode.read ? 4U : 0U) | (mode.write || mode.truncate ? 2U : 0U);
  if (!view_.may(node->inode(), bits)) return refuse(EACCES);
  OpenMode kept = mode;
  kept.write = mode.write && !mode.path_only;
  auto file = std::make_unique<StoreFile>(*this, node, kept);
  if (mode.truncate && !mode.path_only && !created) {
    OSP_TRY(walked(node->resize(0)));
    if (node->writers == 0) OSP_TRY(walked(node->commit()));
  }
  return Opened{.file = std::move(file), .attributes = node->describe(), .created = created};
}

Walked<Opened> StoreTree::open(std::string_view path, const OpenMode& mode) {
  if (History::is_past(path)) return history_.open(path, mode);
  OSP_ASSIGN(const TreeView::Parent at, view_.parent(path));
  std::optional<Entry> entry = Entry{.id = root_id, .kind = S_IFDIR};
  if (!at.name.empty()) {
    OSP_ASSIGN(entry, walked(view_.lookup(at.directory, at.name)));
  }
  if (entry) {
    if (mode.create && mode.exclusive) return refuse(EEXIST);
    if (!S_ISLNK(entry->kind) || mode.path_only) return open_node(*entry, mode, false);
    OSP_ASSIGN(const NodePtr link, walked(node(entry->id)));
    return std::unexpected(WalkError::link(path.size(), link->inode().target));
  }
  if (!mode.create) return refuse(ENOENT);
  OSP_ASSIGN(const Entry made, create(at, {.mode = S_IFREG | (mode.permissions & 07777U)}));
  return open_node(made, mode, true);
}

Walked<Attributes> StoreTree::stat(std::string_view path) {
  if (History::is_past(path)) return history_.stat(path);
  OSP_ASSIGN(const Entry entry, view_.walk(path));
  OSP_ASSIGN(const Inode inode, walked(view_.inode(entry.id)));
  return inode.describe(entry.id);
}

Walked<std::string> StoreTree::read_link(std::string_view path) {
  if (History::is_past(path)) return history_.read_link(path);
  OSP_ASSIGN(const Entry entry, view_.walk(path));
  if (!S_ISLNK(entry.kind)) return refuse(EINVAL);
  OSP_ASSIGN(const Inode inode, walked(view_.inode(entry.id)));
  return inode.target;
}

Result<void> StoreTree::may_change(const Inode& inode, const AttributeChange& change) const {
  const Identity& who = store_.identity();
  if (who.is_super()) return {};
  const bool owns = inode.uid == who.uid;
  const bool sets_times = (change.has_atime && change.atime_ns != AttributeChange::now) ||
                          (change.has_mtime && change.mtime_ns != AttributeChange::now);
  if ((change.has_mode || sets_times || change.has_uid || change.has_gid) && !owns) return fail(EPERM);
  if (change.has_uid && change.uid != inode.uid) return fail(EPERM);
  if (change.has_gid && change.gid != inode.gid && change.gid != who.gid) return fail(EPERM);
  return {};
}

// chmod, chown, utimens, truncate. `may_write`: the last of these.
Result<void> StoreTree::apply(const NodePtr& node, const AttributeChange& change, bool may_write) {
  OSP_TRY(may_change(node->inode(), change));
  if (change.has_mode && S_ISLNK(node->inode().mode)) return fail(EOPNOTSUPP);
  if (change.has_size) {
    if (S_ISDIR(node->inode().mode)) return fail(EISDIR);
    if (!S_ISREG(node->inode().mode)) return fail(EINVAL);
    if (!may_write) return fail(EACCES);
    OSP_TRY(node->resize(change.size));
    if (node->writers == 0) OSP_TRY(node->commit());
  }
  if (!change.has_mode && !change.has_uid && !change.has_gid && !change.has_atime && !change.has_mtime) return {};
  Edit edit(store_);
  Inode& inode = edit.of(node);
  const auto time = [&](int64_t ns) { return ns == AttributeChange::now ? edit.now_ns() : ns; };
  if (change.has_mode) inode.mode = (inode.mode & S_IFMT) | (change.mode & 07777U);
  if (change.has_uid) inode.uid = change.uid;
  if (change.has_gid) inode.gid = change.gid;
  if ((change.has_uid || change.has_gid) && !change.has_mode && S_ISREG(inode.mode))
    inode.mode &= ~static_cast<uint32_t>(S_ISUID | ((inode.mode & S_IXGRP) != 0 ? S_ISGID : 0));
  if (change.has_atime) inode.atime_ns = time(change.atime_ns);
  if (change.has_mtime) inode.mtime_ns = time(change.mtime_ns);
  inode.ctime_ns = edit.now_ns();
  return edit.apply();
}

Walked<void> StoreTree::change(std::string_view path, const AttributeChange& change) {
  if (History::is_past(path)) return refuse(EROFS);
  OSP_ASSIGN(const NodePtr node, walk_node(path));
  return walked(apply(node, change, view_.may(node->inode(), 2)));
}

void StoreTree::closed(const NodePtr& node, bool may_write) {
  if (may_write) --node->writers;
  if (--node->opens != 0 || node->inode().links != 0) return;
  // Its last name went while it was open.
  nodes_.erase(node->id());
  if (const auto done = store_.forget(node->id()); !done)
    log::warn("store", "file {} is not forgotten: {}", node->id(), describe(done.error()));
}

Result<void> StoreTree::abandon_ownerless() {
  std::vector<uint64_t> ids;
  OSP_TRY(for_each(store_.metadata(), "D", [&](auto key, auto) -> Result<void> {
    ids.push_back(key::number_in(key));
    return {};
  }));
  for (const uint64_t id : ids) {
    OSP_ASSIGN(const NodePtr node, this->node(id));
    if (node->writers == 0) OSP_TRY(node->abandon());
  }
  return {};
}

Result<FileSystemStat> StoreTree::statfs() {
  constexpr uint64_t many = 1U << 30;
  FileSystemStat stat{.type = file_system_type, .files = many, .files_free = many};
  struct statvfs host {};
  if (statvfs(store_.directory().empty() ? "/" : store_.directory().c_str(), &host) != 0) return fail(errno);
  const uint64_t scale = std::max<uint64_t>(1, host.f_frsize);
  stat.blocks = host.f_blocks * scale / stat.block_size;
  stat.free = host.f_bfree * scale / stat.block_size;
  stat.available = host.f_bavail * scale / stat.block_size;
  return stat;
}

}  // namespace osp::pip::store
