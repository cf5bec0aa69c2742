#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pip/message.h"

namespace osp::pip {

// What a group may change, by whole paths.
struct Footprint {
  std::vector<std::string> files;  // attributes and contents
  std::vector<std::string> names;  // that may come, so their directories change too
  std::vector<std::string> trees;  // names that may go, with all below
  bool is_anywhere = false;        // and something under a name that nobody knows
  [[nodiscard]] bool is_empty() const { return files.empty() && names.empty() && trees.empty() && !is_anywhere; }
  void add(const Footprint& other);
};

// Reads a group message by message, and so knows the paths of what it makes.
class FootprintReader {
 public:
  using PathOf = std::function<std::optional<std::string>(uint32_t fid)>;
  // `path_of`: of the fids from before; empty of those that there are not.
  explicit FootprintReader(PathOf path_of) : path_of_(std::move(path_of)) {}
  // What this one may change. What errors keep from happening is in it as well.
  Footprint next(const Message& message);
  // The path of a fid, as of now.
  [[nodiscard]] std::optional<std::string> path(uint32_t fid) const;
  [[nodiscard]] std::optional<std::string> path(uint32_t fid, std::string_view below) const;

 private:
  Footprint visit(const Topen& t);
  Footprint visit(const Tcreate& t);
  Footprint visit(const Twrite& t);
  Footprint visit(const Tremove& t);
  Footprint visit(const Trename& t);
  Footprint visit(const Tlink& t);
  template <class T>
  Footprint visit(const T&) {
    return {};
  }

  // Of one that is made, and of one from before with the same number, if there was one: making it may have failed.
  [[nodiscard]] std::vector<std::string> paths(uint32_t fid) const;

  PathOf path_of_;
  std::map<uint32_t, std::string> made_;
};

Footprint footprint_of(const std::vector<Message>& messages, FootprintReader::PathOf path_of);

// The directory of a path ("" of a name in the root), and its last name.
std::string_view directory_of(std::string_view path);
std::string_view name_of(std::string_view path);
// A path below another; either may be "".
std::string join_paths(std::string_view directory, std::string_view below);

}  // namespace osp::pip
