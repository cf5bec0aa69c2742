#pragma once

#include "pip/past_path.h"
#include "pip/store/tree_view.h"

namespace osp::pip::store {

// The past of a store, by path:
//
//   .osp-history/at/TIME/PATH          PATH as it was at the end of the second TIME: seconds since the epoch, or
//                                      YYYY-MM-DD[THH:MM[:SS]][Z], in UTC
//   .osp-history/version/NUMBER/PATH   the version NUMBER of the file that is at PATH now
//
// Everything there can be read only (EROFS), and has ids of its own, since it is not what the same file is now.
class History {
 public:
  static constexpr std::string_view directory = history_directory;
  static bool is_past(std::string_view path);

  explicit History(Store& store) : store_(store) {}

  Walked<Opened> open(std::string_view path, const OpenMode& mode);
  Walked<Attributes> stat(std::string_view path);
  Walked<std::string> read_link(std::string_view path);
  Walked<std::string> get_attribute(std::string_view path, std::string_view name);
  Walked<std::vector<std::string>> list_attributes(std::string_view path);

  std::unique_ptr<Server> as_of(uint64_t time_s);

  // The versions of a file, the newest first, one a line: number, time of the commit in ns since the epoch, size.
  // At most so many as fit into one answer, and of those below `before`.
  Result<std::string> versions(uint64_t id, uint64_t before);

 private:
  Store& store_;
};

// Nothing: not a time.
std::optional<uint64_t> parse_time(std::string_view text);

}  // namespace osp::pip::store
