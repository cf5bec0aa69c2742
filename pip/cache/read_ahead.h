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
  // Whether one directory after the other may be read so: then the first files of one that has not been opened yet.
  [[nodiscard]] bool is_running() const { return streak_ >= running; }
  [[nodiscard]] std::vector<const KnownTree::Entry*> first_of(const KnownTree::Directory& directory) const;
  // The names of directories that come after one, in the order in which files were read; at most `count`.
  [[nodiscard]] std::vector<std::string> next_directories(const KnownTree::Directory& parent, std::string_view name,
                                                          size_t count) const;

 private:
  struct Sequence {
    std::string last{};
    unsigned by_name = 0, by_place = 0;  // how many have followed each other so
    size_t ahead = 16;                   // how many files to read next
  };
  static constexpr unsigned running = 4;  // files after one another

  std::map<std::string, Sequence> sequences_;  // by directory
  unsigned streak_ = 0;                        // files that were opened in order, over directories
  bool is_by_place_ = false;                   // in that of the listing
};

}  // namespace osp::pip
