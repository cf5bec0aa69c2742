#include "namespace/mem_file.h"

#include <algorithm>

namespace osp::ns {

Result<size_t> MemFile::read(uint64_t offset, std::span<std::byte> into) {
  if (node_->is(S_IFDIR)) return fail(EISDIR);
  if (!mode_.read || mode_.path_only) return fail(EBADF);
  tree_->touch_access(*node_);
  return node_->contents.read(offset, into);
}

Result<size_t> MemFile::write(uint64_t offset, std::span<const std::byte> from) {
  if (!mode_.write || mode_.path_only) return fail(EBADF);
  OSP_ASSIGN(const size_t size, node_->contents.write(mode_.append ? node_->contents.size() : offset, from));
  if (size > 0) tree_->touch_contents(*node_);
  return size;
}

Result<uint64_t> MemFile::append(std::span<const std::byte> from) {
  const uint64_t end = node_->contents.size();
  OSP_ASSIGN(const size_t size, write(end, from));
  return end + size;
}

Result<std::vector<pip::DirectoryEntry>> MemFile::read_directory(uint64_t first, size_t count) {
  if (!node_->is(S_IFDIR)) return fail(ENOTDIR);
  if (!mode_.read || mode_.path_only) return fail(EBADF);
  if (first == 0 || !listed_) {
    listing_.assign(node_->children.begin(), node_->children.end());
    listed_ = true;
    tree_->touch_access(*node_);
  }
  std::vector<pip::DirectoryEntry> part;
  for (uint64_t i = first; i < listing_.size() && part.size() < count; ++i) {
    const auto& [name, node] = listing_[i];
    part.push_back({.name = name, .attributes = tree_->describe(*node), .target = node->target});
  }
  return part;
}

Result<void> MemFile::change(const pip::AttributeChange& change) {
  if (mode_.path_only) return fail(EBADF);
  if (change.has_size && !mode_.write) return fail(EINVAL);
  return change_node(*tree_, *node_, change, true);
}

Result<pip::PageRange> MemFile::map(uint64_t offset, uint64_t, bool writable) {
  const MemPageMaker& maker = tree_->options().pages;
  if (!maker || !node_->is(S_IFREG)) return fail(ENODEV);
  if (!mode_.read || (writable && !mode_.write)) return fail(EACCES);
  MemContents& contents = node_->contents;
  if (contents.pages() == nullptr) {
    OSP_ASSIGN(std::shared_ptr<MemPages> pages, maker());
    OSP_TRY(contents.move_to(std::move(pages), maker));
  }
  tree_->touch_access(*node_);
  if (writable) tree_->touch_contents(*node_);
  return contents.pages()->range(offset);
}

namespace {

Result<void> check_owner(const MemTree& tree, const MemNode& node, const pip::AttributeChange& change) {
  if (change.has_mode && node.is(S_IFLNK)) return fail(EOPNOTSUPP);
  if (tree.options().uid == 0) return {};
  const pip::Attributes& a = node.attributes;
  const bool gives_away = change.has_uid && change.uid != a.uid;
  const bool regroups = change.has_gid && change.gid != a.gid && change.gid != tree.options().gid;
  if (gives_away || regroups) return fail(EPERM);
  if ((change.has_mode || change.has_uid || change.has_gid) && !tree.owns(node)) return fail(EPERM);
  const auto is_set = [](bool has, int64_t time) { return has && time != pip::AttributeChange::now; };
  const bool sets = is_set(change.has_atime, change.atime_ns) || is_set(change.has_mtime, change.mtime_ns);
  if (sets && !tree.owns(node)) return fail(EPERM);
  if ((change.has_atime || change.has_mtime) && !tree.owns(node) && !tree.permits(node, 2)) return fail(EACCES);
  return {};
}

void change_owner(MemNode& node, const pip::AttributeChange& change) {
  pip::Attributes& a = node.attributes;
  if (change.has_uid) a.uid = change.uid;
  if (change.has_gid) a.gid = change.gid;
  if (!(change.has_uid || change.has_gid) || !node.is(S_IFREG)) return;
  a.mode &= ~static_cast<uint32_t>(S_ISUID);
  if ((a.mode & S_IXGRP) != 0) a.mode &= ~static_cast<uint32_t>(S_ISGID);
}

}  // namespace

Result<void> change_node(MemTree& tree, MemNode& node, const pip::AttributeChange& change, bool size_allowed) {
  if (change.has_size && node.is(S_IFDIR)) return fail(EISDIR);
  if (change.has_size && !node.is(S_IFREG)) return fail(EINVAL);
  if (change.has_size && !size_allowed) return fail(EACCES);
  OSP_TRY(check_owner(tree, node, change));
  if (change.has_size) {
    OSP_TRY(node.contents.resize(change.size));
    tree.touch_contents(node);
  }
  change_owner(node, change);
  pip::Attributes& a = node.attributes;
  if (change.has_mode) a.mode = (a.mode & S_IFMT) | (change.mode & 07777);
  const auto time = [&](int64_t wanted) { return wanted == pip::AttributeChange::now ? tree.now() : wanted; };
  if (change.has_atime) a.atime_ns = time(change.atime_ns);
  if (change.has_mtime) a.mtime_ns = time(change.mtime_ns);
  tree.touch_status(node);
  return {};
}

}  // namespace osp::ns
