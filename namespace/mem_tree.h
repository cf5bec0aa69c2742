#pragma once

#include <sys/stat.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "namespace/function_ref.h"
#include "namespace/mem_contents.h"
#include "namespace/mem_snapshot.h"
#include "namespace/path.h"
#include "pip/server.h"

// The files of a memory file system. Not thread-safe: the caller serialises.
namespace osp::ns {

struct MemOptions {
  std::string name = "#m";              // what Server::name() says
  uint32_t uid = 0, gid = 0;            // who it serves: owner of new files, and whose permissions hold
  uint32_t mode = 0755;                 // permissions of the root
  uint64_t size_limit = UINT64_MAX;     // bytes of contents and files together; ENOSPC behind it
  std::function<int64_t()> clock = {};  // nanoseconds since the epoch; without it, the host's
  MemPageMaker pages = {};              // of files that are mapped; without it, none can be
};

// A file, directory, link or special file. It lives as long as a name or an open file has it.
struct MemNode {
  MemNode(MemBudget& budget, uint64_t id, uint32_t mode) : contents(budget) {
    attributes.id = id;
    attributes.mode = mode;
  }
  [[nodiscard]] bool is(uint32_t type) const { return (attributes.mode & S_IFMT) == type; }

  pip::Attributes attributes;                                             // size and blocks are made by describe()
  MemContents contents;                                                   // of a regular file
  std::map<std::string, std::shared_ptr<MemNode>, std::less<>> children;  // of a directory
  std::string target;                                                     // of a symbolic link
  std::map<std::string, std::string, std::less<>> extended;               // attributes user.*
};
using MemNodePtr = std::shared_ptr<MemNode>;

// A name: the directory it is in, and the node it has, if any.
struct MemName {
  MemNodePtr directory;  // null for the root
  std::string_view name;
  MemNodePtr node;  // null: there is none

  // Why there is none, or can be none: ENAMETOOLONG, ENOENT.
  [[nodiscard]] int missing_error() const { return name.size() > name_size_max ? ENAMETOOLONG : ENOENT; }
};

class MemTree {
 public:
  static constexpr uint64_t node_cost = 512;  // what a file costs of the size limit, besides its contents

  explicit MemTree(MemOptions options);
  ~MemTree();
  MemTree(const MemTree&) = delete;
  MemTree& operator=(const MemTree&) = delete;

  // Walks to the last component of `path`, which may be missing or too long, and may be a link.
  // ENOENT ENOTDIR EACCES ENAMETOOLONG; a link on the way as WalkError::link.
  pip::Walked<MemName> walk(std::string_view path) const;
  // The same, and it must exist.
  pip::Walked<MemNodePtr> find(std::string_view path) const;

  // A node without a name. ENOSPC.
  Result<MemNodePtr> create(const MemNode& directory, const pip::NewFile& file);
  // Gives `node` the name, which must be free; the directory must be writable. EACCES, EMLINK.
  Result<void> add(const MemName& name, MemNodePtr node);
  // Takes the name away. EACCES.
  Result<void> drop(const MemName& name);

  [[nodiscard]] pip::Attributes describe(const MemNode& node) const;
  // Whether the served user has all of `wanted` (4 read, 2 write, 1 search or execute).
  [[nodiscard]] bool permits(const MemNode& node, unsigned wanted) const;
  // Whether the served user may change what only an owner may.
  [[nodiscard]] bool owns(const MemNode& node) const;

  void touch_contents(MemNode& node) const;  // mtime, ctime, version
  void touch_status(MemNode& node) const;    // ctime
  void touch_access(MemNode& node) const;    // atime, as relatime does
  [[nodiscard]] int64_t now() const { return options_.clock(); }

  [[nodiscard]] const MemOptions& options() const { return options_; }
  [[nodiscard]] const MemBudget& budget() const { return *budget_; }
  [[nodiscard]] uint64_t file_count() const { return nodes_->size(); }

  // Every file that there is by its number, also one that is only open, with its contents at the next place.
  [[nodiscard]] MemSnapshot save() const;
  // Calls `put` with the contents of all files of what save() has just given, holes left out, and where they lie. Its
  // first error.
  Result<void> save_contents(const MemSnapshot& snapshot,
                             FunctionRef<Result<void>(uint64_t at, std::span<const std::byte>)> put) const;
  // Becomes what save() gave, which has no fault; what the user of then owned is now this one's. Until end_load(),
  // paths are the numbers of files, and everything is permitted. EBUSY: it is not empty; ENOSPC.
  Result<void> load(const MemSnapshot& snapshot, std::span<const std::byte> contents);
  // Files that have no name and have not been opened are gone.
  void end_load() { loading_.reset(); }

  // For who fills the tree from an archive; no permission is asked, no time touched.
  // A file without a name. The number and the count of links are the tree's, the rest as in `attributes`. ENOSPC.
  Result<MemNodePtr> load_file(const pip::Attributes& attributes);
  // Gives `node` a name in `directory`. EEXIST.
  Result<void> load_name(MemNode& directory, std::string_view name, const MemNodePtr& node);
  [[nodiscard]] const MemNodePtr& root() const { return root_; }
  // Keeps `memory`, which contents are lent from, as long as the tree.
  void keep(std::shared_ptr<const void> memory) { kept_.push_back(std::move(memory)); }

 private:
  using Nodes = std::map<uint64_t, MemNode*>;
  MemNodePtr new_node(uint32_t mode);
  MemNodePtr bare_node(uint32_t mode);  // all but its owner and times
  Result<MemNodePtr> load_node(const MemSnapshot& snapshot, size_t index, std::span<const std::byte> contents);
  void load_names(const MemSnapshot& snapshot);

  std::vector<std::shared_ptr<const void>> kept_;  // outlives the nodes
  MemOptions options_;
  std::shared_ptr<MemBudget> budget_;  // shared with nodes, which open files may keep longer than the tree
  std::shared_ptr<Nodes> nodes_;       // those that live, by number; shared for the same reason
  uint64_t next_id_ = MemSnapshot::root;
  MemNodePtr root_;
  std::optional<std::map<std::string, MemNodePtr, std::less<>>> loading_;  // by number
};

}  // namespace osp::ns
