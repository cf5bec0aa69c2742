#pragma once

#include <map>
#include <memory>
#include <set>
#include <vector>

#include "tools/mount/inode_table.h"
#include "tools/mount/remote.h"

namespace osp::fuse {

// A file or directory that a process has open. Jobs that use it hold it.
struct OpenFile {
  SessionPtr session;               // outlives the file
  std::shared_ptr<pip::File> file;  // may be another OpenFile's as well, where the file has no name any more
  NodePtr node;
  bool can_read = false, can_write = false;
  bool is_written = false;            // since its errors were last asked for
  int error = 0;                      // of a write, to be told at the close
  std::multiset<uint64_t> reading{};  // where reads that are on their way end
  keeper::WaitList turn{};            // reads that go on where another one ends
};
using OpenFilePtr = std::shared_ptr<OpenFile>;

// The open files by the number that the kernel has for each, and by their nodes.
class OpenFiles {
 public:
  uint64_t add(OpenFilePtr file);
  // Null: there is none.
  [[nodiscard]] OpenFilePtr find(uint64_t number) const;
  OpenFilePtr take(uint64_t number);
  // One of the node's of this session, that can be written rather than not. Null: none.
  [[nodiscard]] OpenFilePtr of(const Node& node, const SessionPtr& session) const;
  // The nodes that are open.
  [[nodiscard]] std::vector<NodePtr> nodes() const;
  [[nodiscard]] std::vector<uint64_t> numbers() const;

 private:
  uint64_t last_ = 0;
  std::map<uint64_t, OpenFilePtr> files_;
  std::map<const Node*, std::set<OpenFilePtr>> by_node_;
};

}  // namespace osp::fuse
