// FileSystem: directories.
#include <sys/stat.h>

#include "tools/mount/file_system.h"

namespace osp::fuse {

Result<uint64_t> FileSystem::open_directory(uint64_t number) {
  OSP_ASSIGN(const NodePtr directory, node(number));
  return open_at_path(directory, {.read = true, .directory = true});
}

Result<std::vector<pip::DirectoryEntry>> FileSystem::read_directory(uint64_t file, uint64_t first, size_t count) {
  constexpr uint64_t own = 2;  // "." and ".."
  OSP_ASSIGN(const OpenFilePtr open, open_file(file));
  std::vector<pip::DirectoryEntry> entries;
  for (const auto* const name : {".", ".."}) {
    if (entries.size() + first != (name[1] == '\0' ? 0U : 1U)) continue;
    pip::DirectoryEntry& entry =
        entries.emplace_back(pip::DirectoryEntry{.name = name, .attributes = {}, .target = {}});
    entry.attributes.mode = S_IFDIR, entry.attributes.id = open->node->id();
  }
  OSP_ASSIGN(auto rest, open->file->read_directory(first < own ? 0 : first - own, count));
  entries.insert(entries.end(), std::make_move_iterator(rest.begin()), std::make_move_iterator(rest.end()));
  return entries;
}

}  // namespace osp::fuse
