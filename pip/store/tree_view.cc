#include "pip/store/tree_view.h"

#include <sys/stat.h>

#include "pip/footprint.h"
#include "pip/store/keys.h"

namespace osp::pip::store {
namespace {

constexpr size_t most_in_name = 255;

std::unexpected<WalkError> refuse(int code) { return std::unexpected(WalkError(code)); }

}  // namespace

bool TreeView::may(const Inode& inode, uint32_t bits) const {
  const Identity& who = store_.identity();
  if (who.is_super()) return true;
  const unsigned shift = inode.uid == who.uid ? 6 : inode.gid == who.gid ? 3 : 0;
  return ((inode.mode >> shift) & bits) == bits;
}

Walked<void> TreeView::may_search(uint64_t directory) {
  if (store_.identity().is_super()) return {};
  const auto found = inode(directory);
  if (!found) return std::unexpected(WalkError(found.error()));
  if (!may(*found, 1)) return refuse(EACCES);
  return {};
}

Result<Inode> TreeView::inode(uint64_t id) {
  if (!as_of_s_) return store_.inode(id);
  OSP_ASSIGN(const auto found, store_.metadata().last(key::inode_past(id, 0), key::inode_past(id, *as_of_s_)));
  if (found) return decode_inode(found->second);
  // What it was then need not be kept: the next that is known.
  const auto later = store_.metadata().scan(key::inode_past(id, *as_of_s_), key::inode_past(id, UINT64_MAX));
  if (later->is_valid()) return decode_inode(later->value());
  OSP_TRY(later->status());
  return fail(ENOENT);
}

Result<std::optional<Entry>> TreeView::lookup(uint64_t directory, std::string_view name) {
  std::optional<std::string> record;
  if (!as_of_s_) {
    OSP_ASSIGN(record, store_.metadata().get(key::entry(directory, name)));
  } else {
    OSP_ASSIGN(auto found, store_.metadata().last(key::entry_past(directory, name, 0),
                                                  key::entry_past(directory, name, *as_of_s_)));
    if (found) record = std::move(found->second);
  }
  if (!record) return std::nullopt;
  OSP_ASSIGN(const Entry entry, decode_entry(*record));
  return entry.id == 0 ? std::nullopt : std::optional(entry);
}

Result<std::vector<std::string>> TreeView::names(uint64_t directory) {
  constexpr size_t head = 9;      // of a key: the kind and the directory
  constexpr size_t tail = 1 + 8;  // of a past one: NUL and the second
  std::vector<std::string> names;
  const auto take = [&](std::string_view key, std::string_view value) -> Result<void> {
    if (!as_of_s_) {
      names.emplace_back(key.substr(head));
      return {};
    }
    if (key.size() < head + tail || Reader(key.substr(key.size() - 8)).u64() > *as_of_s_) return {};
    const std::string_view name = key.substr(head, key.size() - head - tail);
    OSP_ASSIGN(const Entry entry, decode_entry(value));
    if (!names.empty() && names.back() == name) names.pop_back();  // as it was before this
    if (entry.id != 0) names.emplace_back(name);
    return {};
  };
  OSP_TRY(for_each(store_.metadata(), key::numbered(as_of_s_ ? 'E' : 'e', directory), take));
  return names;
}

Result<bool> TreeView::is_empty(uint64_t directory) {
  const std::string prefix = key::numbered('e', directory);
  const auto cursor = store_.metadata().scan(prefix, end_of(prefix));
  if (cursor->is_valid()) return false;
  OSP_TRY(cursor->status());
  return true;
}

Walked<uint64_t> TreeView::walk_directory(std::string_view path, size_t end) {
  uint64_t directory = root_id;
  for (size_t at = 0; at < end;) {
    const size_t slash = std::min(path.find('/', at), end);
    OSP_TRY(may_search(directory));
    const auto entry = lookup(directory, path.substr(at, slash - at));
    if (!entry) return std::unexpected(WalkError(entry.error()));
    if (!*entry) return refuse(slash - at > most_in_name ? ENAMETOOLONG : ENOENT);
    if (S_ISLNK((*entry)->kind)) {
      const auto link = inode((*entry)->id);
      if (!link) return std::unexpected(WalkError(link.error()));
      return std::unexpected(WalkError::link(slash, link->target));
    }
    if (!S_ISDIR((*entry)->kind)) return refuse(ENOTDIR);
    directory = (*entry)->id;
    at = slash + 1;
  }
  return directory;
}

Walked<TreeView::Parent> TreeView::parent(std::string_view path) {
  const std::string_view name = name_of(path);
  OSP_ASSIGN(const uint64_t directory, walk_directory(path, directory_of(path).size()));
  if (name.size() > most_in_name) return refuse(ENAMETOOLONG);
  if (!name.empty()) OSP_TRY(may_search(directory));
  return Parent{.directory = directory, .name = std::string(name)};
}

Walked<Entry> TreeView::walk(std::string_view path) {
  OSP_ASSIGN(const Parent at, parent(path));
  if (at.name.empty()) return Entry{.id = root_id, .kind = S_IFDIR};
  const auto entry = lookup(at.directory, at.name);
  if (!entry) return std::unexpected(WalkError(entry.error()));
  if (!*entry) return refuse(ENOENT);
  return **entry;
}

}  // namespace osp::pip::store
