// Memory file systems as snapshots and back (mem_snapshot.h), and what loaders of archives need.
#include <algorithm>

#include "namespace/mem_tree.h"

namespace osp::ns {
namespace {

constexpr uint64_t place_after(uint64_t end) {
  return (end + MemSnapshot::alignment - 1) / MemSnapshot::alignment * MemSnapshot::alignment;
}

// Zeros that fill a page are a hole.
Result<void> fill(MemContents& contents, std::span<const std::byte> from) {
  OSP_TRY(contents.resize(from.size()));
  for (size_t at = 0; at < from.size();) {
    const auto piece = from.subspan(at, std::min<size_t>(MemSnapshot::alignment, from.size() - at));
    if (std::ranges::any_of(piece, [](std::byte byte) { return byte != std::byte{0}; })) {
      OSP_ASSIGN(const size_t written, contents.write(at, piece));
      if (written < piece.size()) return fail(ENOSPC);
    }
    at += piece.size();
  }
  return {};
}

}  // namespace

MemSnapshot MemTree::save() const {
  MemSnapshot snapshot;
  snapshot.uid = options_.uid, snapshot.gid = options_.gid, snapshot.next_id = next_id_;
  uint64_t end = 0;
  for (const auto& [id, node] : *nodes_) {
    MemSnapshot::Node& saved = snapshot.nodes.emplace_back();
    saved.attributes = describe(*node);
    saved.target = node->target;
    saved.extended = node->extended;
    for (const auto& [name, child] : node->children) saved.names[name] = child->attributes.id;
    if (!node->is(S_IFREG)) continue;
    saved.at = place_after(end);
    end = saved.at + saved.attributes.size;
  }
  return snapshot;
}

Result<void> MemTree::save_contents(const MemSnapshot& snapshot,
                                    FunctionRef<Result<void>(uint64_t, std::span<const std::byte>)> put) const {
  for (const MemSnapshot::Node& saved : snapshot.nodes) {
    const MemNode& node = *nodes_->at(saved.attributes.id);
    if (!node.is(S_IFREG)) continue;
    OSP_TRY(node.contents.each_piece(
        [&](uint64_t offset, std::span<const std::byte> bytes) { return put(saved.at + offset, bytes); }));
  }
  return {};
}

Result<MemNodePtr> MemTree::load_node(const MemSnapshot& snapshot, size_t index, std::span<const std::byte> contents) {
  const MemSnapshot::Node& saved = snapshot.nodes[index];
  const pip::Attributes& a = saved.attributes;
  next_id_ = a.id;
  const MemNodePtr node = a.id == MemSnapshot::root ? root_ : new_node(a.mode);
  if (node == nullptr) return fail(ENOSPC);
  if (node->is(S_IFREG)) OSP_TRY(fill(node->contents, contents.subspan(saved.at, a.size)));
  node->attributes = a;
  if (a.uid == snapshot.uid) node->attributes.uid = options_.uid;
  if (a.gid == snapshot.gid) node->attributes.gid = options_.gid;
  node->attributes.links = a.id == MemSnapshot::root ? 2 : 0;
  node->target = saved.target;
  node->extended = saved.extended;
  return node;
}

void MemTree::load_names(const MemSnapshot& snapshot) {
  for (const MemSnapshot::Node& saved : snapshot.nodes) {
    const MemNodePtr& directory = loading_->find(std::to_string(saved.attributes.id))->second;
    for (const auto& [name, id] : saved.names) {
      const MemNodePtr& child = loading_->find(std::to_string(id))->second;
      const bool is_directory = child->is(S_IFDIR);
      child->attributes.links += is_directory ? 2 : 1;
      directory->attributes.links += is_directory ? 1 : 0;
      directory->children.emplace(name, child);
    }
  }
}

Result<void> MemTree::load(const MemSnapshot& snapshot, std::span<const std::byte> contents) {
  if (file_count() != 1 || loading_) return fail(EBUSY);
  if (snapshot.contents_size() > contents.size()) return fail(EBADMSG);
  loading_.emplace();
  for (size_t i = 0; i < snapshot.nodes.size(); ++i) {
    OSP_ASSIGN(MemNodePtr node, load_node(snapshot, i, contents));
    loading_->emplace(std::to_string(node->attributes.id), std::move(node));
  }
  next_id_ = snapshot.next_id;
  load_names(snapshot);
  return {};
}

Result<MemNodePtr> MemTree::load_file(const pip::Attributes& attributes) {
  MemNodePtr node = bare_node(attributes.mode);
  if (node == nullptr) return fail(ENOSPC);
  const uint64_t id = node->attributes.id;
  node->attributes = attributes;
  node->attributes.id = id;
  node->attributes.links = node->is(S_IFDIR) ? 1 : 0;
  node->attributes.version = 1;
  return node;
}

Result<void> MemTree::load_name(MemNode& directory, std::string_view name, const MemNodePtr& node) {
  if (!directory.children.try_emplace(std::string(name), node).second) return fail(EEXIST);
  ++node->attributes.links;
  if (node->is(S_IFDIR)) ++directory.attributes.links;
  return {};
}

}  // namespace osp::ns
