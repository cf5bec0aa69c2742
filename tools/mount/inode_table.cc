#include "tools/mount/inode_table.h"

#include <sys/stat.h>

#include <algorithm>

namespace osp::fuse {

bool Node::is(uint32_t type) const { return (attributes.mode & S_IFMT) == type; }

bool Node::is_same(const pip::Attributes& other) const {
  return other.id == attributes.id && (other.mode & S_IFMT) == (attributes.mode & S_IFMT);
}

InodeTable::InodeTable(const pip::Attributes& root) : root_(std::make_shared<Node>(root_number, root)) {
  root_->lookups_ = 1;
  nodes_[root_number] = root_;
  by_id_[root.id] = root_.get();
}

// Nodes hold those above them: one after the other, not by recursion.
InodeTable::~InodeTable() {
  for (const auto& [number, node] : nodes_) node->names_.clear();
}

NodePtr InodeTable::find(uint64_t number) const {
  const auto found = nodes_.find(number);
  return found != nodes_.end() ? found->second : nullptr;
}

NodePtr InodeTable::child(const Node& parent, std::string_view name) const {
  const auto found = parent.children_.find(name);
  return found != parent.children_.end() ? find(found->second->number()) : nullptr;
}

// A number of the server's that has come to mean another kind of file is another file.
NodePtr InodeTable::find_or_make(const pip::Attributes& attributes) {
  if (const auto found = by_id_.find(attributes.id); found != by_id_.end()) {
    if (found->second->is_same(attributes)) return find(found->second->number());
    Node& other = *found->second;
    by_id_.erase(found);
    take_all_names(other);
  }
  auto node = std::make_shared<Node>(++last_number_, attributes);
  nodes_[node->number()] = node;
  by_id_[attributes.id] = node.get();
  return node;
}

Result<NodePtr> InodeTable::enter(const NodePtr& parent, std::string_view name, const pip::Attributes& attributes,
                                  uint64_t asked) {
  const NodePtr node = find_or_make(attributes);
  if (node->changed <= asked) node->attributes = attributes;
  if (S_ISDIR(attributes.mode) && is_below(*parent, *node)) {
    drop_if_unused(*node);
    return fail(ESTALE);
  }
  ++node->lookups_;
  add_name(node, parent, name);
  return node;
}

void InodeTable::forget(uint64_t number, uint64_t lookups) {
  const NodePtr node = find(number);
  if (node == nullptr || number == root_number) return;
  node->lookups_ -= std::min(node->lookups_, lookups);
  drop_if_unused(*node);
}

// Directories stay while something known is in them: those above may go with it. Not by recursion, as for paths.
void InodeTable::drop_if_unused(Node& node) {
  unused_.push_back(node.number());
  if (unused_.size() > 1) return;  // that is being done
  for (size_t i = 0; i < unused_.size(); ++i) {
    const auto found = nodes_.find(unused_[i]);
    if (found == nodes_.end()) continue;
    const NodePtr kept = found->second;
    if (kept->lookups_ > 0 || !kept->children_.empty() || kept == root_) continue;
    nodes_.erase(found);
    if (const auto same = by_id_.find(kept->id()); same != by_id_.end() && same->second == kept.get())
      by_id_.erase(same);
    take_all_names(*kept);
  }
  unused_.clear();
}

// A file with one link has one name; others that are known of it are old.
void InodeTable::add_name(const NodePtr& node, const NodePtr& parent, std::string_view name) {
  if (node == root_) return;
  const bool has_one = S_ISDIR(node->attributes.mode) || node->attributes.links <= 1;
  const auto is_this = [&](const Node::Name& one) { return one.parent == parent && one.name == name; };
  if (has_one && std::ranges::any_of(node->names_, [&](const auto& one) { return !is_this(one); }))
    take_all_names(*node);
  const auto known = std::ranges::find_if(node->names_, is_this);
  if (known != node->names_.end()) {
    std::rotate(known, known + 1, node->names_.end());
    return;
  }
  drop_name(*parent, name);
  parent->children_[std::string(name)] = node.get();
  node->names_.push_back({parent, std::string(name)});
}

// The parent is kept alive by the caller, or by the root.
void InodeTable::take_name(Node& node, const Node& parent, std::string_view name) {
  const auto known = std::ranges::find_if(
      node.names_, [&](const auto& one) { return one.parent.get() == &parent && one.name == name; });
  if (known == node.names_.end()) return;
  const Node::Name kept = *known;
  node.names_.erase(known);
  if (const auto found = kept.parent->children_.find(kept.name); found != kept.parent->children_.end())
    kept.parent->children_.erase(found);
  drop_if_unused(*kept.parent);
}

void InodeTable::drop_name(const Node& parent, std::string_view name) {
  if (const NodePtr old = child(parent, name)) take_name(*old, parent, name);
}

void InodeTable::take_all_names(Node& node) {
  while (!node.names_.empty()) {
    const Node::Name name = node.names_.back();
    take_name(node, *name.parent, name.name);
  }
}

void InodeTable::removed(const NodePtr& parent, std::string_view name) {
  const NodePtr node = child(*parent, name);
  if (node == nullptr) return;
  take_name(*node, *parent, name);
  const bool is_last = S_ISDIR(node->attributes.mode) || node->attributes.links <= 1;
  node->attributes.links = is_last ? 0 : node->attributes.links - 1;
  if (!is_last || !node->names_.empty()) return;
  node->is_gone_ = true;
  if (const auto same = by_id_.find(node->id()); same != by_id_.end() && same->second == node.get()) by_id_.erase(same);
}

void InodeTable::renamed(const NodePtr& from, std::string_view name, const NodePtr& to, std::string_view new_name) {
  const NodePtr node = child(*from, name);
  const NodePtr target = child(*to, new_name);
  if (node != nullptr && node == target) return;  // two names of one file: nothing is done
  removed(to, new_name);
  if (node == nullptr) return;
  take_name(*node, *from, name);
  if (S_ISDIR(node->attributes.mode) && is_below(*to, *node)) return;  // what is known of `to` is old
  drop_name(*to, new_name);
  to->children_[std::string(new_name)] = node.get();
  node->names_.push_back({to, std::string(new_name)});
}

void InodeTable::exchanged(const NodePtr& from, std::string_view name, const NodePtr& to, std::string_view new_name) {
  const NodePtr one = child(*from, name), two = child(*to, new_name);
  if (one != nullptr) take_name(*one, *from, name);
  if (two != nullptr) take_name(*two, *to, new_name);
  const auto give = [this](const NodePtr& node, const NodePtr& parent, std::string_view as) {
    if (node == nullptr || (S_ISDIR(node->attributes.mode) && is_below(*parent, *node))) return;
    parent->children_[std::string(as)] = node.get();
    node->names_.push_back({parent, std::string(as)});
  };
  give(one, to, new_name);
  give(two, from, name);
}

// A file with several names may have one in a directory that has none itself.
std::optional<std::string> InodeTable::path(const Node& node) const {
  if (&node == root_.get()) return std::string();
  for (auto name = node.names_.rbegin(); name != node.names_.rend(); ++name)
    if (auto path = path_to(*name)) return path;
  return std::nullopt;
}

// Not by recursion: a tree may be deeper than a job's stack. A directory has one name.
std::optional<std::string> InodeTable::path_to(const Node::Name& last) const {
  std::vector<const std::string*> names = {&last.name};
  for (const Node* at = last.parent.get(); at != root_.get(); at = at->names_.back().parent.get()) {
    if (at->names_.empty()) return std::nullopt;
    names.push_back(&at->names_.back().name);
  }
  std::string path = *names.back();
  for (auto name = names.rbegin() + 1; name != names.rend(); ++name) (path += '/') += **name;
  return path;
}

bool InodeTable::is_moving(const Node& node) const {
  for (const Node* at = &node;; at = at->names_.back().parent.get()) {
    if (at->moving > 0) return true;
    if (at->names_.empty()) return false;
  }
}

bool InodeTable::is_below(const Node& node, const Node& above) const {
  for (const Node* at = &node;; at = at->names_.back().parent.get()) {
    if (at == &above) return true;
    if (at->names_.empty()) return false;
  }
}

}  // namespace osp::fuse
