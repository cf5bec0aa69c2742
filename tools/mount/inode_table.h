#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pip/server.h"

namespace osp::fuse {

class Node;
using NodePtr = std::shared_ptr<Node>;

// A file that the kernel knows by a number. It is the server's file `attributes.id`, by whatever names it has. Whoever
// holds the pointer may use it after the kernel has forgotten it.
class Node {
 public:
  Node(uint64_t number, const pip::Attributes& known) : attributes(known), number_(number) {}

  [[nodiscard]] uint64_t number() const { return number_; }
  [[nodiscard]] uint64_t id() const { return attributes.id; }
  [[nodiscard]] bool is(uint32_t type) const;  // S_IFDIR, …
  // Whether it is the same file as far as can be told.
  [[nodiscard]] bool is_same(const pip::Attributes& other) const;
  // The last of its names went away by our own doing, and there is no other.
  [[nodiscard]] bool is_gone() const { return is_gone_; }

  pip::Attributes attributes;  // as they were last heard of
  unsigned moving = 0;         // renames of it that are on their way
  uint64_t changed = 0;        // when we changed it last, as who asks for attributes counts (FileSystem)

 private:
  friend class InodeTable;
  struct Name {
    NodePtr parent;
    std::string name;
  };
  const uint64_t number_;
  uint64_t lookups_ = 0;
  bool is_gone_ = false;
  std::vector<Name> names_;  // the one heard of last is at the end; of a directory at most one
  std::map<std::string, Node*, std::less<>> children_;  // those that have a name here
};

// Which file a number of the kernel's is, and where on the server it is now: names follow renames made here, and those
// made by others as they are looked up. Numbers are never used again. Not thread-safe; nothing blocks.
class InodeTable {
 public:
  static constexpr uint64_t root_number = 1;

  explicit InodeTable(const pip::Attributes& root);
  ~InodeTable();
  InodeTable(const InodeTable&) = delete;
  InodeTable& operator=(const InodeTable&) = delete;

  [[nodiscard]] const NodePtr& root() const { return root_; }
  // Null: the kernel has no such number.
  [[nodiscard]] NodePtr find(uint64_t number) const;

  // `name` in `parent` was seen to be the file with these attributes. Counts one lookup of the kernel's, to be ended by
  // forget(). ESTALE: the parent is below the file itself, so that what is known of the parent is old.
  // What was asked before `asked` and we have changed since is known better.
  Result<NodePtr> enter(const NodePtr& parent, std::string_view name, const pip::Attributes& attributes,
                        uint64_t asked = UINT64_MAX);
  void forget(uint64_t number, uint64_t lookups);

  // What was done at the server. Names that the kernel has not looked up are no matter.
  void removed(const NodePtr& parent, std::string_view name);
  void renamed(const NodePtr& from, std::string_view name, const NodePtr& to, std::string_view new_name);
  void exchanged(const NodePtr& from, std::string_view name, const NodePtr& to, std::string_view new_name);

  // From the root. Empty: it has no name (any more), or lies below a directory without one.
  [[nodiscard]] std::optional<std::string> path(const Node& node) const;
  // Whether it or a directory above it is being renamed.
  [[nodiscard]] bool is_moving(const Node& node) const;
  // The node of a name that is known. Null: none.
  [[nodiscard]] NodePtr child(const Node& parent, std::string_view name) const;

  [[nodiscard]] size_t size() const { return nodes_.size(); }

 private:
  [[nodiscard]] std::optional<std::string> path_to(const Node::Name& last) const;
  NodePtr find_or_make(const pip::Attributes& attributes);
  [[nodiscard]] bool is_below(const Node& node, const Node& above) const;
  void add_name(const NodePtr& node, const NodePtr& parent, std::string_view name);
  void take_name(Node& node, const Node& parent, std::string_view name);
  void drop_name(const Node& parent, std::string_view name);
  void take_all_names(Node& node);
  void drop_if_unused(Node& node);

  uint64_t last_number_ = root_number;
  std::unordered_map<uint64_t, NodePtr> nodes_;  // by number
  std::unordered_map<uint64_t, Node*> by_id_;    // those that may still have a name
  NodePtr root_;
  std::vector<uint64_t> unused_;  // numbers of nodes that are perhaps to be dropped
};

}  // namespace osp::fuse
