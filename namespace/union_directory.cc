#include "namespace/union_directory.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace osp::ns {
namespace {

constexpr size_t batch = 1024;  // entries asked of a server at once

}  // namespace

Result<std::vector<pip::DirectoryEntry>> UnionDirectory::read_directory(uint64_t first, size_t count) {
  if (first == 0 || !loaded_) OSP_TRY(load());
  std::vector<pip::DirectoryEntry> part;
  if (first >= entries_.size()) return part;
  const size_t size = std::min(count, entries_.size() - first);
  const auto begin = entries_.begin() + static_cast<std::ptrdiff_t>(first);
  part.assign(begin, begin + static_cast<std::ptrdiff_t>(size));
  return part;
}

Result<void> UnionDirectory::load() {
  entries_.clear();
  names_.clear();
  OSP_TRY(add_all(*first_));
  if (place_.is_mount_point()) add_other_members();
  add_mount_points();
  loaded_ = true;
  return {};
}

Result<void> UnionDirectory::add_all(pip::File& directory) {
  for (uint64_t next = 0;;) {
    OSP_ASSIGN(auto part, directory.read_directory(next, batch));
    if (part.empty()) return {};
    next += part.size();
    for (pip::DirectoryEntry& entry : part)
      if (names_.insert(entry.name).second) entries_.push_back(std::move(entry));
  }
}

void UnionDirectory::add_other_members() {
  for (const Member& member : place_.mount().members) {
    if (&member == &place_.member()) continue;
    auto opened = member.server->open(member.path, {.read = true, .directory = true});
    const int code = !opened ? opened.error().code : 0;
    const auto added = opened ? add_all(*opened->file) : fail(code);
    if (!added)
      log::warn("namespace", "{}: {} is left out of the listing: {}", place_.path(), member.source(),
                describe(added.error()));
  }
}

void UnionDirectory::add_mount_points() {
  for (const Mount& mount : place_.table().mounts()) {
    if (mount.at == "/" || parent_of(mount.at) != place_.path()) continue;
    const std::string_view name = last_of(mount.at);
    const auto there = std::ranges::find(entries_, name, &pip::DirectoryEntry::name);
    if (there == entries_.end() && !mount.made_up) continue;  // it has been removed below
    const auto found = mount.members[0].server->stat(mount.members[0].path);
    pip::DirectoryEntry entry{.name = std::string(name), .attributes = {}, .target = {}};
    if (found) entry.attributes = *found;
    if (there == entries_.end()) {
      entries_.push_back(std::move(entry));
    } else if (found) {
      *there = std::move(entry);
    }
  }
}

}  // namespace osp::ns
