#include "drivers/uart/tree.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

namespace osp::uart {
namespace {

std::string_view parent_of(std::string_view path) {
  const size_t slash = path.rfind('/');
  return path.substr(0, slash == std::string_view::npos ? 0 : slash);
}

}  // namespace

Tree::Tree(std::span<Port* const> ports) : ports_(ports.begin(), ports.end()) {
  for (const char* path : {"", "dev", "dev/uart"}) nodes_.push_back({.path = path});
  for (size_t i = 0; i < ports.size(); ++i) {
    nodes_.push_back({.path = fmt::format("dev/uart/eia{}", i), .kind = Kind::data, .port = ports[i]});
    nodes_.push_back({.path = fmt::format("dev/uart/eia{}ctl", i), .kind = Kind::control, .port = ports[i]});
  }
}

const Tree::Node* Tree::find(std::string_view path) const {
  const auto found = std::ranges::find(nodes_, path, &Node::path);
  return found == nodes_.end() ? nullptr : &*found;
}

pip::Attributes Tree::attributes(const Node& node) const {
  pip::Attributes a;
  a.id = static_cast<uint64_t>(&node - nodes_.data()) + 1;
  a.mode = node.kind == Kind::directory ? S_IFDIR | 0555 : S_IFREG | 0660;
  a.links = node.kind == Kind::directory ? 2 : 1;
  if (node.kind == Kind::data) a.size = node.port->received();
  return a;
}

std::vector<pip::DirectoryEntry> Tree::entries(const Node& directory) const {
  std::vector<pip::DirectoryEntry> list;
  for (const Node& node : nodes_) {
    if (node.path.empty() || parent_of(node.path) != directory.path) continue;
    list.push_back({.name = node.path.substr(node.path.rfind('/') + 1), .attributes = attributes(node), .target = {}});
  }
  return list;
}

void Tree::begin_round() {
  for (Port* port : ports_) port->begin_round();
}

void Tree::settle() {
  for (Port* port : ports_) port->settle();
}

}  // namespace osp::uart
