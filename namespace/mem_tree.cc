#include "namespace/mem_tree.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "base/raw_syscall.h"
#include "namespace/path.h"

namespace osp::ns {
namespace {

int64_t host_clock() {
  timespec now{};
  raw::syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

// Takes a tree apart without a recursion as deep as it is.
void dismantle(MemNodePtr root) {
  std::vector<MemNodePtr> nodes = {std::move(root)};
  while (!nodes.empty()) {
    const MemNodePtr node = std::move(nodes.back());
    nodes.pop_back();
    for (auto& [name, child] : node->children) nodes.push_back(std::move(child));
    node->children.clear();
  }
}

}  // namespace

MemTree::MemTree(MemOptions options)
    : options_(std::move(options)),
      budget_(std::make_shared<MemBudget>(std::max(options_.size_limit, node_cost))),
      nodes_(std::make_shared<Nodes>()) {
  if (!options_.clock) options_.clock = host_clock;
  root_ = new_node(S_IFDIR | (options_.mode & 07777));
  root_->attributes.links = 2;
}

MemTree::~MemTree() {
  loading_.reset();
  dismantle(std::move(root_));
}

MemNodePtr MemTree::bare_node(uint32_t mode) {
  // What the node is charged for is given back when the last name and the last open file are gone.
  auto free = [budget = budget_, nodes = nodes_](const MemNode* node) {
    budget->give_back(node_cost);
    nodes->erase(node->attributes.id);
    delete node;
  };
  const bool charged = budget_->take(node_cost);
  if (!charged) return nullptr;
  MemNodePtr node(new MemNode(*budget_, next_id_++, mode), std::move(free));
  nodes_->emplace_hint(nodes_->end(), node->attributes.id, node.get());
  return node;
}

MemNodePtr MemTree::new_node(uint32_t mode) {
  MemNodePtr node = bare_node(mode);
  if (node == nullptr) return node;
  pip::Attributes& a = node->attributes;
  a.uid = options_.uid;
  a.gid = options_.gid;
  a.atime_ns = a.mtime_ns = a.ctime_ns = now();
  a.version = 1;
  return node;
}

pip::Walked<MemName> MemTree::walk(std::string_view path) const {
  if (loading_ && !path.empty()) {
    const auto found = loading_->find(path);
    return MemName{.directory = root_, .name = path, .node = found == loading_->end() ? nullptr : found->second};
  }
  MemName at{.directory = nullptr, .name = {}, .node = root_};
  for (size_t begin = 0; begin < path.size();) {
    if (at.node == nullptr) return std::unexpected(pip::WalkError(ENOENT));
    if (at.node->is(S_IFLNK)) return std::unexpected(pip::WalkError::link(begin - 1, at.node->target));
    if (!at.node->is(S_IFDIR)) return std::unexpected(pip::WalkError(ENOTDIR));
    if (!permits(*at.node, 1)) return std::unexpected(pip::WalkError(EACCES));
    const std::string_view name = first_of(path.substr(begin));
    const bool last = begin + name.size() == path.size();
    if (name.size() > name_size_max && !last) return std::unexpected(pip::WalkError(ENAMETOOLONG));
    const auto child = at.node->children.find(name);
    MemNodePtr node = child == at.node->children.end() ? nullptr : child->second;
    at = {.directory = std::move(at.node), .name = name, .node = std::move(node)};
    begin += name.size() + 1;
  }
  return at;
}

pip::Walked<MemNodePtr> MemTree::find(std::string_view path) const {
  auto name = walk(path);
  if (!name) return std::unexpected(std::move(name.error()));
  if (name->node == nullptr) return std::unexpected(pip::WalkError(name->missing_error()));
  return std::move(name->node);
}

Result<MemNodePtr> MemTree::create(const MemNode& directory, const pip::NewFile& file) {
  MemNodePtr node = new_node(file.mode);
  if (node == nullptr) return fail(ENOSPC);
  pip::Attributes& a = node->attributes;
  a.links = node->is(S_IFDIR) ? 1 : 0;  // of "."; add() counts the name
  a.device = node->is(S_IFCHR) || node->is(S_IFBLK) ? file.device : 0;
  if (node->is(S_IFLNK)) {
    node->target = file.target;
    a.mode = S_IFLNK | 0777;
  }
  if ((directory.attributes.mode & S_ISGID) != 0) {
    a.gid = directory.attributes.gid;
    if (node->is(S_IFDIR)) a.mode |= S_ISGID;
  }
  return node;
}

Result<void> MemTree::add(const MemName& name, MemNodePtr node) {
  MemNode& directory = *name.directory;
  if (!permits(directory, 3)) return fail(EACCES);
  ++node->attributes.links;
  if (node->is(S_IFDIR)) ++directory.attributes.links;
  directory.children.emplace(name.name, std::move(node));
  touch_contents(directory);
  return {};
}

Result<void> MemTree::drop(const MemName& name) {
  MemNode& directory = *name.directory;
  if (!permits(directory, 3)) return fail(EACCES);
  MemNode& node = *name.node;
  --node.attributes.links;
  if (node.is(S_IFDIR)) --directory.attributes.links;
  touch_status(node);
  directory.children.erase(directory.children.find(name.name));
  touch_contents(directory);
  return {};
}

pip::Attributes MemTree::describe(const MemNode& node) const {
  pip::Attributes a = node.attributes;
  if (node.is(S_IFREG)) a.size = node.contents.size();
  if (node.is(S_IFLNK)) a.size = node.target.size();
  if (node.is(S_IFDIR)) a.size = 20 * (node.children.size() + 2);
  a.blocks = (node.contents.allocated() + 511) / 512;
  return a;
}

bool MemTree::owns(const MemNode& node) const { return options_.uid == 0 || node.attributes.uid == options_.uid; }

bool MemTree::permits(const MemNode& node, unsigned wanted) const {
  const pip::Attributes& a = node.attributes;
  if (loading_) return true;
  if (options_.uid == 0) {
    const bool executes = (wanted & 1) != 0 && !node.is(S_IFDIR);
    return !executes || (a.mode & 0111) != 0;
  }
  const unsigned shift = a.uid == options_.uid ? 6 : a.gid == options_.gid ? 3 : 0;
  return ((a.mode >> shift) & wanted) == wanted;
}

void MemTree::touch_contents(MemNode& node) const {
  node.attributes.mtime_ns = node.attributes.ctime_ns = now();
  ++node.attributes.version;
}

void MemTree::touch_status(MemNode& node) const { node.attributes.ctime_ns = now(); }

void MemTree::touch_access(MemNode& node) const {
  pip::Attributes& a = node.attributes;
  if (a.atime_ns <= a.mtime_ns || a.atime_ns <= a.ctime_ns) a.atime_ns = now();
}

}  // namespace osp::ns
