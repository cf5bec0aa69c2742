// StoreTree: names come, go and move.
#include <sys/stat.h>

#include "pip/access.h"
#include "pip/footprint.h"
#include "pip/store/edit.h"
#include "pip/store/store_tree.h"
#include "pip/store/walked.h"

namespace osp::pip::store {
namespace {

constexpr unsigned no_replace = 1, exchange_flag = 2;  // renameat2(2)

template <class T>
Walked<T> of_second(Walked<T> result) {
  if (!result) result.error().which = 1;
  return result;
}

}  // namespace

Walked<NodePtr> StoreTree::changing(uint64_t directory) {
  OSP_ASSIGN(NodePtr node, walked(this->node(directory)));
  if (node->inode().links == 0) return refuse(ENOENT);
  if (!view_.may(node->inode(), 3)) return refuse(EACCES);
  return node;
}

// There is no such name yet.
Walked<Entry> StoreTree::create(const TreeView::Parent& at, const NewFile& file) {
  if (at.name == History::directory && at.directory == root_id) return refuse(EROFS);
  OSP_ASSIGN(const NodePtr directory, changing(at.directory));
  OSP_ASSIGN(const uint64_t id, walked(store_.new_id()));
  Edit edit(store_);
  Inode& parent = edit.touch(directory);
  Inode inode;
  inode.mode = file.mode;
  inode.uid = store_.identity().uid, inode.gid = store_.identity().gid;
  if ((parent.mode & S_ISGID) != 0) {
    inode.gid = parent.gid;
    if (S_ISDIR(file.mode)) inode.mode |= S_ISGID;
  }
  inode.links = S_ISDIR(file.mode) ? 2 : 1;
  if (S_ISDIR(file.mode)) ++parent.links;
  inode.device = file.device, inode.target = file.target;
  inode.atime_ns = inode.mtime_ns = inode.ctime_ns = edit.now_ns();
  const Entry entry{.id = id, .kind = file.mode & S_IFMT};
  edit.add(id, inode);
  edit.name(at.directory, at.name, entry);
  OSP_TRY(walked(edit.apply()));
  return entry;
}

Walked<void> StoreTree::make(std::string_view path, const NewFile& file) {
  if (History::is_past(path)) return refuse(EROFS);
  OSP_ASSIGN(const TreeView::Parent at, view_.parent(path));
  if (at.name.empty()) return refuse(EEXIST);
  OSP_ASSIGN(const auto there, walked(view_.lookup(at.directory, at.name)));
  if (there) return refuse(EEXIST);
  NewFile made = file;
  if ((made.mode & S_IFMT) == 0) made.mode |= S_IFREG;
  if (S_ISLNK(made.mode)) {
    made.mode = S_IFLNK | 0777;
    if (made.target.empty()) return refuse(ENOENT);
  }
  OSP_ASSIGN(const Entry entry, create(at, made));
  (void)entry;
  return {};
}

void StoreTree::unname(Edit& edit, const NodePtr& node) {
  Inode& inode = edit.of(node);
  inode.ctime_ns = edit.now_ns();
  if (S_ISDIR(inode.mode) || inode.links <= 1) {
    edit.end(node);
  } else {
    --inode.links;
  }
}

Walked<void> StoreTree::remove(std::string_view path, bool directory) {
  if (History::is_past(path)) return refuse(EROFS);
  OSP_ASSIGN(const TreeView::Parent at, view_.parent(path));
  if (at.name.empty()) return refuse(EBUSY);
  OSP_ASSIGN(const auto entry, walked(view_.lookup(at.directory, at.name)));
  if (!entry) return refuse(ENOENT);
  OSP_ASSIGN(const NodePtr parent, changing(at.directory));
  if (directory && !S_ISDIR(entry->kind)) return refuse(ENOTDIR);
  if (!directory && S_ISDIR(entry->kind)) return refuse(EISDIR);
  if (directory) {
    OSP_ASSIGN(const bool is_empty, walked(view_.is_empty(entry->id)));
    if (!is_empty) return refuse(ENOTEMPTY);
  }
  OSP_ASSIGN(const NodePtr node, walked(this->node(entry->id)));
  Edit edit(store_);
  Inode& holder = edit.touch(parent);
  if (directory) --holder.links;
  unname(edit, node);
  edit.name(at.directory, at.name, {});
  return walked(edit.apply());
}

Walked<void> StoreTree::link(std::string_view from, std::string_view to) {
  if (History::is_past(from) || History::is_past(to)) return refuse(EROFS);
  OSP_ASSIGN(const NodePtr source, walk_node(from));
  OSP_ASSIGN(const TreeView::Parent at, of_second(view_.parent(to)));
  OSP_ASSIGN(const auto there, walked(view_.lookup(at.directory, at.name)));
  if (there || at.name.empty()) return refuse(EEXIST, 1);
  if (S_ISDIR(source->inode().mode)) return refuse(EPERM);
  OSP_ASSIGN(const NodePtr directory, of_second(changing(at.directory)));
  Edit edit(store_);
  edit.touch(directory);
  Inode& inode = edit.of(source);
  ++inode.links;
  inode.ctime_ns = edit.now_ns();
  edit.name(at.directory, at.name, {.id = source->id(), .kind = inode.mode & S_IFMT});
  return walked(edit.apply());
}

Walked<void> StoreTree::check_replace(const Entry& source, const Entry& target) {
  if (!S_ISDIR(target.kind)) return S_ISDIR(source.kind) ? refuse(ENOTDIR, 1) : Walked<void>();
  if (!S_ISDIR(source.kind)) return refuse(EISDIR, 1);
  OSP_ASSIGN(const bool is_empty, walked(view_.is_empty(target.id)));
  if (!is_empty) return refuse(ENOTEMPTY, 1);
  return {};
}

Walked<void> StoreTree::exchange(const TreeView::Parent& from, const TreeView::Parent& to, const Entry& source,
                                 const Entry& target) {
  OSP_ASSIGN(const NodePtr from_directory, changing(from.directory));
  OSP_ASSIGN(const NodePtr to_directory, of_second(changing(to.directory)));
  OSP_ASSIGN(const NodePtr one, walked(node(source.id)));
  OSP_ASSIGN(const NodePtr other, walked(node(target.id)));
  Edit edit(store_);
  const uint64_t moved_in = S_ISDIR(source.kind) ? 1 : 0;
  const uint64_t moved_out = S_ISDIR(target.kind) ? 1 : 0;
  Inode& from_inode = edit.touch(from_directory);
  from_inode.links = from_inode.links - moved_in + moved_out;
  Inode& to_inode = edit.touch(to_directory);
  to_inode.links = to_inode.links + moved_in - moved_out;
  edit.of(one).ctime_ns = edit.of(other).ctime_ns = edit.now_ns();
  edit.name(from.directory, from.name, target);
  edit.name(to.directory, to.name, source);
  return walked(edit.apply());
}

Walked<void> StoreTree::move(const TreeView::Parent& from, const TreeView::Parent& to, const Entry& source,
                             const std::optional<Entry>& target) {
  OSP_ASSIGN(const NodePtr from_directory, changing(from.directory));
  OSP_ASSIGN(const NodePtr to_directory, of_second(changing(to.directory)));
  OSP_ASSIGN(const NodePtr moved, walked(node(source.id)));
  NodePtr replaced;
  if (target) {
    OSP_TRY(check_replace(source, *target));
    OSP_ASSIGN(replaced, walked(node(target->id)));
  }
  Edit edit(store_);
  edit.touch(from_directory), edit.touch(to_directory);
  if (S_ISDIR(source.kind)) --edit.of(from_directory).links, ++edit.of(to_directory).links;
  if (target && S_ISDIR(target->kind)) --edit.of(to_directory).links;
  edit.of(moved).ctime_ns = edit.now_ns();
  if (replaced) unname(edit, replaced);
  edit.name(from.directory, from.name, {});
  edit.name(to.directory, to.name, source);
  return walked(edit.apply());
}

Walked<void> StoreTree::rename(std::string_view from, std::string_view to, unsigned flags) {
  if ((flags & ~(no_replace | exchange_flag)) != 0 || flags == (no_replace | exchange_flag)) return refuse(EINVAL);
  if (History::is_past(from) || History::is_past(to)) return refuse(EROFS);
  OSP_ASSIGN(const TreeView::Parent source_at, view_.parent(from));
  OSP_ASSIGN(const TreeView::Parent target_at, of_second(view_.parent(to)));
  if (source_at.name.empty() || target_at.name.empty()) return refuse(EBUSY);
  OSP_ASSIGN(const auto source, walked(view_.lookup(source_at.directory, source_at.name)));
  if (!source) return refuse(ENOENT);
  OSP_ASSIGN(const auto target, walked(view_.lookup(target_at.directory, target_at.name)));
  if (target && (flags & no_replace) != 0) return refuse(EEXIST, 1);
  if (!target && (flags & exchange_flag) != 0) return refuse(ENOENT, 1);
  if (target && target->id == source->id) return {};
  if (is_within(to, from)) return refuse(EINVAL);  // no link was on the way, so the paths tell
  if ((flags & exchange_flag) != 0) {
    if (is_within(from, to)) return refuse(EINVAL);
    return exchange(source_at, target_at, *source, *target);
  }
  if (is_within(from, to)) return refuse(ENOTEMPTY, 1);
  return move(source_at, target_at, *source, target);
}

}  // namespace osp::pip::store
