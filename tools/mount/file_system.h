#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tools/mount/inode_table.h"
#include "tools/mount/open_files.h"
#include "tools/mount/remote.h"

namespace osp::fuse {

// Who asks.
struct Owner {
  uint32_t uid = 0, gid = 0;
};

// What a mounted tree answers. Files are named by the kernel's numbers (InodeTable) and, where they are open, by those
// that open() and its like give. In jobs: each call waits for the server as long as it takes. Errors are the server's;
// ESTALE: others have put another file in its place, or the server has forgotten the session.
class FileSystem {
 public:
  struct Options {
    bool gives_owner = false;  // what somebody makes is made his own, where the server may do that
  };

  // `contents_changed` has the kernel forget what it keeps of a file's contents.
  FileSystem(Remote& remote, Options options, std::function<void(uint64_t)> contents_changed);

  // names.cc. Each node that is returned counts as one lookup, to be ended by forget().
  Result<NodePtr> lookup(uint64_t parent, std::string_view name);
  void forget(uint64_t number, uint64_t lookups) { table_.forget(number, lookups); }
  Result<NodePtr> make(uint64_t parent, std::string_view name, const pip::NewFile& file, Owner owner);
  Result<NodePtr> link(uint64_t number, uint64_t parent, std::string_view name);
  Result<void> remove(uint64_t parent, std::string_view name, bool directory);
  Result<void> rename(uint64_t from, std::string_view name, uint64_t to, std::string_view new_name, unsigned flags);
  Result<std::string> read_link(uint64_t number);

  // attributes.cc
  Result<pip::Attributes> attributes(uint64_t number);
  // `file`: an open one through which it is done (ftruncate); 0: none.
  Result<pip::Attributes> change(uint64_t number, const pip::AttributeChange& change, uint64_t file);
  Result<void> may_access(uint64_t number, int mask);
  Result<std::string> get_attribute(uint64_t number, std::string_view name);
  Result<void> set_attribute(uint64_t number, std::string_view name, std::string_view value, int flags);
  Result<void> remove_attribute(uint64_t number, std::string_view name);
  Result<std::vector<std::string>> list_attributes(uint64_t number);
  Result<pip::FileSystemStat> statfs();

  // files.cc. `flags` are open(2)'s.
  struct Created {
    NodePtr node;
    uint64_t file = 0;
  };
  Result<Created> create(uint64_t parent, std::string_view name, int flags, uint32_t permissions, Owner owner);
  Result<uint64_t> open(uint64_t number, int flags);
  Result<std::string> read(uint64_t file, uint64_t offset, size_t size);
  // `at_end`: wherever that is.
  Result<size_t> write(uint64_t file, uint64_t offset, std::string_view bytes, bool at_end);
  Result<void> sync(uint64_t file);
  // At each close(2): tells what went wrong, as far as that is known.
  Result<void> flush(uint64_t file);
  void release(uint64_t file);
  // The same of all that are open: the kernel is gone.
  void release_all();
  // What went wrong and has been told to nobody. Once.
  Failure take_failure();

  // directories.cc
  Result<uint64_t> open_directory(uint64_t number);
  // Entries from index `first` on, of which 0 and 1 are "." and ".."; at most `count`, none at the end.
  Result<std::vector<pip::DirectoryEntry>> read_directory(uint64_t file, uint64_t first, size_t count);

 private:
  Result<NodePtr> node(uint64_t number) const;
  Result<std::string> path_of(const Node& node);
  // Calls `operation(path)` on the server's path of `node` (of `name` in it, if there is one); again if the node has
  // been renamed meanwhile.
  template <class Operation>
  auto at_path(const Node& node, std::string_view name, Operation&& operation)
      -> Result<typename decltype(operation(std::string()))::value_type>;
  Result<NodePtr> enter(const NodePtr& parent, std::string_view name, const pip::Attributes& attributes,
                        uint64_t asked);
  void give_owner(const Node& parent, pip::File& file, pip::Attributes& made, Owner owner);
  Result<void> change_by_name(const NodePtr& node, const pip::AttributeChange& change);
  Result<pip::Opened> open_name(const Node& node, std::string_view name);
  Result<NodePtr> named_node(uint64_t number);
  Result<OpenFilePtr> open_file(uint64_t file) const;
  Result<size_t> write_some(OpenFile& open, uint64_t offset, std::string_view bytes, bool at_end);
  Result<uint64_t> open_again(const NodePtr& node, const pip::OpenMode& mode);
  Result<uint64_t> open_at_path(const NodePtr& node, const pip::OpenMode& mode);
  uint64_t add(const NodePtr& node, std::unique_ptr<pip::File> file, const pip::OpenMode& mode);
  Result<void> late_error();

  Remote& remote_;
  Options options_;
  std::function<void(uint64_t)> contents_changed_;
  InodeTable table_;
  OpenFiles files_;
  uint64_t changes_ = 0;    // that we have made: what was asked before one is old
  keeper::WaitList moves_;  // calls that wait for a rename
  Failure failure_;         // of a file that was closed before it was known
};

// Where `operation` ended at a link, somebody has put it in a directory's place.
template <class T>
Result<T> plain(pip::Walked<T> walked) {
  if (walked) {
    if constexpr (std::is_void_v<T>)
      return {};
    else
      return std::move(*walked);
  }
  return osp::fail(walked.error().is_link() ? ESTALE : walked.error().code);
}

constexpr int most_tries = 8;  // where what is asked for is being renamed

inline std::string join(const std::string& directory, std::string_view name) {
  return directory.empty() || name.empty() ? directory + std::string(name) : directory + "/" + std::string(name);
}

// What a server answers for a path that has been renamed.
inline bool may_be_elsewhere(int code) { return code == ENOENT || code == ENOTDIR || code == ESTALE; }

template <class Operation>
auto FileSystem::at_path(const Node& node, std::string_view name, Operation&& operation)
    -> Result<typename decltype(operation(std::string()))::value_type> {
  for (int tries = 1;; ++tries) {
    remote_.await_session();
    OSP_ASSIGN(const std::string directory, path_of(node));
    auto done = plain(operation(remote_.path(join(directory, name))));
    if (done || tries == most_tries || !may_be_elsewhere(done.error().code)) return done;
    if (const auto now = table_.path(node); now == directory) return done;
  }
}

}  // namespace osp::fuse
