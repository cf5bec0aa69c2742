#include "pip/footprint.h"

namespace osp::pip {
namespace {

void append(std::vector<std::string>& to, const std::vector<std::string>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

void Footprint::add(const Footprint& other) {
  append(files, other.files);
  append(names, other.names);
  append(trees, other.trees);
  is_anywhere = is_anywhere || other.is_anywhere;
}

std::optional<std::string> FootprintReader::path(uint32_t fid) const {
  const auto made = made_.find(fid);
  return made != made_.end() ? made->second : path_of_(fid);
}

std::optional<std::string> FootprintReader::path(uint32_t fid, std::string_view below) const {
  const auto whole = path(fid);
  return whole ? std::optional(join_paths(*whole, below)) : std::nullopt;
}

std::vector<std::string> FootprintReader::paths(uint32_t fid) const {
  std::vector<std::string> all;
  if (const auto made = made_.find(fid); made != made_.end()) all.push_back(made->second);
  if (auto before = path_of_(fid)) all.push_back(std::move(*before));
  return all;
}

Footprint FootprintReader::visit(const Topen& t) {
  const auto opened = path(t.fid, t.path);
  if (!opened) return {};
  if (t.nfid != no_fid) made_[t.nfid] = *opened;
  if (t.mode.find('t') == std::string_view::npos) return {};
  return {.files = {*opened}, .names = {}, .trees = {}, .is_anywhere = false};
}

Footprint FootprintReader::visit(const Tcreate& t) {
  const auto made = path(t.fid, t.name);
  if (!made) return {};
  if (t.nfid != no_fid) made_[t.nfid] = *made;
  return {.files = {}, .names = {*made}, .trees = {}, .is_anywhere = false};
}

Footprint FootprintReader::visit(const Twrite& t) {
  return {.files = paths(t.fid), .names = {}, .trees = {}, .is_anywhere = false};
}

Footprint FootprintReader::visit(const Tremove& t) {
  return {.files = {}, .names = {}, .trees = paths(t.fid), .is_anywhere = false};
}

Footprint FootprintReader::visit(const Trename& t) {
  Footprint what{.files = {}, .names = {}, .trees = paths(t.fid), .is_anywhere = false};
  const auto to = path(t.dfid, t.name);
  if (what.trees.empty() || !to) return {};
  what.trees.push_back(*to);
  return what;
}

Footprint FootprintReader::visit(const Tlink& t) {
  const auto to = path(t.dfid, t.name);
  if (!to) return {};
  return {.files = paths(t.fid), .names = {*to}, .trees = {}, .is_anywhere = false};
}

Footprint FootprintReader::next(const Message& message) {
  return std::visit([this](const auto& m) { return visit(m); }, message);
}

Footprint footprint_of(const std::vector<Message>& messages, FootprintReader::PathOf path_of) {
  FootprintReader reader(std::move(path_of));
  Footprint all;
  for (const Message& message : messages) all.add(reader.next(message));
  return all;
}

std::string join_paths(std::string_view directory, std::string_view below) {
  std::string whole(directory);
  if (!directory.empty() && !below.empty()) whole += '/';
  return whole += below;
}

std::string_view directory_of(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view name_of(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace osp::pip
