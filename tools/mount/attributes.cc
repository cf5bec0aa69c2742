// FileSystem: attributes.
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>

#include "tools/mount/file_system.h"

namespace osp::fuse {
namespace {

int64_t now_ns() {
  timespec now = {};
  clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// What they are after a change that the server has made. It is asked when somebody wants to know exactly.
void apply(const pip::AttributeChange& change, pip::Attributes& to) {
  const int64_t now = now_ns();
  if (change.has_mode) to.mode = (to.mode & S_IFMT) | (change.mode & ~static_cast<uint32_t>(S_IFMT));
  if (change.has_uid) to.uid = change.uid;
  if (change.has_gid) to.gid = change.gid;
  if (change.has_size) to.size = change.size, to.mtime_ns = now;
  if (change.has_atime) to.atime_ns = change.atime_ns == pip::AttributeChange::now ? now : change.atime_ns;
  if (change.has_mtime) to.mtime_ns = change.mtime_ns == pip::AttributeChange::now ? now : change.mtime_ns;
  to.ctime_ns = now;
}

}  // namespace

// By its name, which the cache knows best; one that has none, or whose name others have given away, if it is open.
Result<pip::Attributes> FileSystem::attributes(uint64_t number) {
  OSP_ASSIGN(const NodePtr file, node(number));
  const uint64_t asked = changes_;
  auto found = at_path(*file, "", [&](const std::string& path) { return remote_.client().stat(path); });
  const bool is_it = found && (number == InodeTable::root_number || file->is_same(*found));
  if (!is_it) {
    if (found) found = osp::fail(ESTALE);
    if (const OpenFilePtr open = files_.of(*file, remote_.session())) {
      found = open->file->stat();
    } else if (file->is_gone()) {
      found = file->attributes;  // nobody can change it any more
    }
  }
  if (found && file->changed <= asked) file->attributes = *found;
  return found ? Result<pip::Attributes>(file->attributes) : found;
}

// Not open, the file is opened for it by its name, so that it is surely this one: others may have given the name, or
// that of a directory above, to another.
Result<void> FileSystem::change_by_name(const NodePtr& node, const pip::AttributeChange& change) {
  OSP_ASSIGN(const pip::Opened named, open_name(*node, ""));
  const bool is_it = node == table_.root() || node->is_same(named.attributes);
  return is_it ? named.file->change(change) : osp::fail(ESTALE);
}

// Through a file that is open, if there is one. The size only through one that may write.
Result<pip::Attributes> FileSystem::change(uint64_t number, const pip::AttributeChange& change, uint64_t file) {
  OSP_ASSIGN(const NodePtr of, node(number));
  OpenFilePtr open = file != 0 ? files_.find(file) : files_.of(*of, remote_.session());
  const bool has_name = table_.path(*of).has_value();
  if (open != nullptr && file == 0 && change.has_size && !open->can_write && has_name) open = nullptr;
  const auto changed = open != nullptr ? open->file->change(change) : change_by_name(of, change);
  if (!changed) return std::unexpected(changed.error());
  if (open != nullptr) open->is_written = true;
  apply(change, of->attributes);
  of->changed = ++changes_;
  return of->attributes;
}

// The server says what it lets us do when it is asked to do it; only what cannot be executed is told here.
Result<void> FileSystem::may_access(uint64_t number, int mask) {
  if ((mask & X_OK) == 0) return {};
  OSP_ASSIGN(const pip::Attributes found, attributes(number));
  constexpr uint32_t anybody_executes = S_IXUSR | S_IXGRP | S_IXOTH;
  return S_ISDIR(found.mode) || (found.mode & anybody_executes) != 0 ? Result<void>{} : osp::fail(EACCES);
}

Result<pip::FileSystemStat> FileSystem::statfs() {
  remote_.await_session();
  return remote_.client().statfs();
}

Result<std::string> FileSystem::get_attribute(uint64_t number, std::string_view name) {
  OSP_ASSIGN(const NodePtr of, node(number));
  return at_path(*of, "", [&](const std::string& path) { return remote_.client().get_attribute(path, name); });
}

// By name alone can these be changed; so it is looked at before.
Result<NodePtr> FileSystem::named_node(uint64_t number) {
  OSP_ASSIGN(NodePtr of, node(number));
  OSP_ASSIGN(const pip::Attributes found,
             at_path(*of, "", [&](const std::string& path) { return remote_.client().stat(path); }));
  const bool is_it = number == InodeTable::root_number || of->is_same(found);
  return is_it ? Result<NodePtr>(std::move(of)) : osp::fail(ESTALE);
}

Result<void> FileSystem::set_attribute(uint64_t number, std::string_view name, std::string_view value, int flags) {
  OSP_ASSIGN(const NodePtr of, named_node(number));
  return at_path(*of, "",
                 [&](const std::string& path) { return remote_.client().set_attribute(path, name, value, flags); });
}

Result<void> FileSystem::remove_attribute(uint64_t number, std::string_view name) {
  OSP_ASSIGN(const NodePtr of, named_node(number));
  return at_path(*of, "", [&](const std::string& path) { return remote_.client().remove_attribute(path, name); });
}

Result<std::vector<std::string>> FileSystem::list_attributes(uint64_t number) {
  OSP_ASSIGN(const NodePtr of, node(number));
  return at_path(*of, "", [&](const std::string& path) { return remote_.client().list_attributes(path); });
}

}  // namespace osp::fuse
