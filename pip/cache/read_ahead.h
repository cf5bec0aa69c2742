#pragma once

#include <map>
#include <string>
#include <vector>

#include "pip/cache/known_tree.h"

namespace osp::pip {

// Notices when the small files of a directory are opened one after the other, by name or in the order of its listing.
class ReadAhead {
 public:
  static constexpr uint64_t small = 64 * 1024;  // bytes

  // A file was opened: which others are worth reading with it, in their order. Those of which something is known are
  // not among them.
  std::vector<const KnownTree::Entry*> opened(const KnownTree::Directory& directory, const KnownTree::Entry& file);

 private:
  struct Sequence {
    std::string last{};
    unsigned by_name = 0, by_place = 0;  // how many have followed each other so
    size_t ahead = 16;                   // how many files to read next
  };
  std::map<std::string, Sequence> sequences_;  // by directory
};

}  // namespace osp::pip
