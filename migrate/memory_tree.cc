#include "migrate/memory_tree.h"

#include <sys/stat.h>

namespace osp::migrate {
namespace {

TreeNode node_of(const ns::MemSnapshot::Node& from) {
  const pip::Attributes& a = from.attributes;
  TreeNode to;
  to.id = a.id, to.mode = a.mode, to.uid = a.uid, to.gid = a.gid, to.device = a.device;
  to.size = S_ISREG(a.mode) ? a.size : 0;
  to.atime_ns = a.atime_ns, to.mtime_ns = a.mtime_ns, to.ctime_ns = a.ctime_ns, to.version = a.version;
  to.at = from.at, to.target = from.target;
  for (const auto& [name, value] : from.extended) {
    const auto* start = reinterpret_cast<const std::byte*>(value.data());  // an attribute's value is bytes
    to.attributes.push_back({name, Bytes(start, start + value.size())});
  }
  for (const auto& [name, id] : from.names) to.names.push_back({name, id});
  return to;
}

ns::MemSnapshot::Node node_of(const TreeNode& from) {
  ns::MemSnapshot::Node to;
  pip::Attributes& a = to.attributes;
  a.id = from.id, a.mode = from.mode, a.uid = from.uid, a.gid = from.gid, a.device = from.device, a.size = from.size;
  a.atime_ns = from.atime_ns, a.mtime_ns = from.mtime_ns, a.ctime_ns = from.ctime_ns, a.version = from.version;
  to.at = from.at, to.target = from.target;
  for (const TreeAttribute& one : from.attributes)
    to.extended[one.name].assign(reinterpret_cast<const char*>(one.value.data()), one.value.size());
  for (const TreeName& one : from.names) to.names[one.name] = one.node;
  return to;
}

}  // namespace

MemoryTree tree_of(std::string server, const ns::MemSnapshot& snapshot) {
  MemoryTree tree;
  tree.server = std::move(server), tree.uid = snapshot.uid, tree.gid = snapshot.gid, tree.next_id = snapshot.next_id;
  for (const auto& node : snapshot.nodes) tree.nodes.push_back(node_of(node));
  return tree;
}

ns::MemSnapshot snapshot_of(const MemoryTree& tree) {
  ns::MemSnapshot snapshot;
  snapshot.uid = tree.uid, snapshot.gid = tree.gid, snapshot.next_id = tree.next_id;
  for (const TreeNode& node : tree.nodes) snapshot.nodes.push_back(node_of(node));
  return snapshot;
}

}  // namespace osp::migrate
