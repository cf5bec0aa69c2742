#pragma once

#include <optional>
#include <vector>

#include "pip/store/store.h"

namespace osp::pip::store {

// The names of a store, now or as of the end of a second. Each call may block on the disk.
class TreeView {
 public:
  // `store` must live longer.
  explicit TreeView(Store& store, std::optional<uint64_t> as_of_s = {}) : store_(store), as_of_s_(as_of_s) {}

  struct Parent {
    uint64_t directory = 0;
    std::string name;  // "": it is the root itself
  };

  // What is at `path`; a link at its end is found itself. ENOENT, ENOTDIR, EACCES, ENAMETOOLONG, or a link on the way.
  Walked<Entry> walk(std::string_view path);
  // The directory of the last name of `path`, which need not be there.
  Walked<Parent> parent(std::string_view path);
  // Nothing: there is no such name.
  Result<std::optional<Entry>> lookup(uint64_t directory, std::string_view name);
  Result<std::vector<std::string>> names(uint64_t directory);
  Result<bool> is_empty(uint64_t directory);
  Result<Inode> inode(uint64_t id);

  // Whether the identity's permissions allow all of `bits` (4 read, 2 write, 1 search).
  [[nodiscard]] bool may(const Inode& inode, uint32_t bits) const;

 private:
  // The directory that the names of `path` up to `end` lead to.
  Walked<uint64_t> walk_directory(std::string_view path, size_t end);
  Walked<void> may_search(uint64_t directory);

  Store& store_;
  std::optional<uint64_t> as_of_s_;
};

}  // namespace osp::pip::store
