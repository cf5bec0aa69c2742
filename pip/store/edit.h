#pragma once

#include <map>

#include "pip/store/node.h"

namespace osp::pip::store {

// One operation on names and records: gathers what is to change, and makes it so in one step.
class Edit {
 public:
  explicit Edit(Store& store) : store_(store), now_ns_(store.now_ns()) {}

  // The record as it is to be.
  Inode& of(const NodePtr& node) { return changed_.try_emplace(node, node->inode()).first->second; }
  // A directory that gets or loses a name.
  Inode& touch(const NodePtr& directory) {
    Inode& inode = of(directory);
    inode.mtime_ns = inode.ctime_ns = now_ns_;
    return inode;
  }
  // The last name is gone: the file is only in history, and with who has it open.
  void end(const NodePtr& node);
  // A file that was not there before.
  void add(uint64_t id, const Inode& inode) { store_.put_inode(batch_, id, inode); }
  void name(uint64_t directory, std::string_view name, const Entry& entry) {
    store_.put_entry(batch_, directory, name, entry);
  }
  [[nodiscard]] int64_t now_ns() const { return now_ns_; }
  // Writes it all down, or nothing.
  Result<void> apply();

 private:
  Store& store_;
  int64_t now_ns_;
  Batch batch_;
  std::map<NodePtr, Inode> changed_;
  std::vector<NodePtr> ended_;
};

}  // namespace osp::pip::store
