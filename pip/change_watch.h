#pragma once

#include <string>
#include <vector>

namespace osp::pip {

// Something that others did to a served tree beside this server.
struct TreeChange {
  std::string directory;  // whose entry or attributes changed
  std::string name{};     // of the entry; empty: the directory's own attributes
  bool is_whole = false;  // the directory, or one above, is another or gone: so is all below
};

// Tells of changes of directories that others make. None of its calls blocks.
class ChangeWatch {
 public:
  virtual ~ChangeWatch() = default;
  // From now on, until unwatch(), changes of this directory are told. False: it cannot be watched.
  virtual bool watch(const std::string& path) = 0;
  virtual void unwatch(const std::string& path) = 0;
  // What has happened since, what this process did as well.
  virtual std::vector<TreeChange> take() = 0;
};

}  // namespace osp::pip
