// The memory trees of an image, and what the program has open and mapped of files that the core serves.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>

#include "base/raw_syscall.h"
#include "libosp/file/files.h"
#include "libosp/file/keeper.h"
#include "libosp/file/keeper_memory.h"
#include "libosp/file/reopen.h"
#include "migrate/memory_tree.h"
#include "migrate/restore_parts.h"

namespace osp::migrate {
namespace {

bool is_in(const MemoryTree& tree, const FileRef& file) { return file.server == tree.server; }

// A tree without contents needs something to send all the same.
Result<int> contents_of(const Restore& restore, const MemoryTree& tree, int& made) {
  if (tree.contents != none) return restore.objects[tree.contents];
  OSP_ASSIGN(made, from_raw<int>(raw::syscall(SYS_memfd_create, "osp-contents", MFD_CLOEXEC)));
  OSP_ASSIGN(made, from_raw<int>(file::keep_fd(made)));
  return made;
}

Restored load(const Restore& restore, const MemoryTree& tree) {
  if (const auto attached = keeper::attach(tree.server); !attached) return std::unexpected(attached.error().reason);
  int made = -1;
  const auto contents = contents_of(restore, tree, made);
  const auto loaded = contents ? keeper::load_memory(tree.server, snapshot_of(tree), *contents)
                               : Result<void>(std::unexpected(contents.error()));
  if (made >= 0) file::drop_fd(made);
  return loaded ? Restored() : because("its memory tree " + tree.server, loaded.error().code);
}

Restored open_files(Restore& restore, const MemoryTree& tree) {
  const Manifest& m = restore.manifest;
  for (uint32_t i = 0; i < m.descriptions.size(); ++i) {
    const Description& d = m.descriptions[i];
    if (d.file == none || !is_in(tree, m.files[d.file])) continue;
    const FileRef& file = m.files[d.file];
    auto opened =
        file::reopen_by_number(tree.server, file.identity.inode, file.path, static_cast<int>(d.flags), d.offset);
    if (!opened) return because("the program has " + file.path + " open", opened.error().code);
    restore.served[i] = std::move(*opened);
  }
  return {};
}

Result<std::shared_ptr<file::Description>> open_to_map(const Restore& restore, const FileRef& file, int flags) {
  for (const MemoryTree& tree : restore.manifest.trees)
    if (is_in(tree, file)) return file::reopen_by_number(tree.server, file.identity.inode, file.path, flags, 0);
  return file::reopen(restore.process, file.path, flags, 0);
}

Restored map_one(Restore& restore, const Area& area) {
  const FileRef& file = restore.manifest.files[area.file];
  auto opened = open_to_map(restore, file, O_RDWR);
  if (!opened && (area.protection & PROT_WRITE) == 0) opened = open_to_map(restore, file, O_RDONLY);
  if (!opened) return because("the program has mapped " + file.path, opened.error().code);
  const auto pages = (*opened)->map(area.offset, area.length, (area.protection & PROT_WRITE) != 0);
  if (!pages) return because("the program has mapped " + file.path, pages.error().code);
  auto backing = std::make_shared<memory::Backing>();
  backing->path = file.path, backing->server = file.server, backing->inode = file.identity.inode;
  const auto mapped = restore.process.memory.map(area.start, area.length, static_cast<int>(area.protection),
                                                 static_cast<int>(area.flags) | MAP_FIXED, pages->fd, pages->fd_offset,
                                                 std::move(backing));
  return mapped ? Restored() : because(fmt::format("its memory at {:#x}", area.start), mapped.error().code);
}

Restored map_files(Restore& restore, const MemoryTree* tree) {
  for (const Area& area : restore.saved().areas) {
    if (area.kind != AreaKind::shared_file) continue;
    const FileRef& file = restore.manifest.files[area.file];
    const bool of_trees = std::ranges::any_of(restore.manifest.trees, [&](const auto& t) { return is_in(t, file); });
    const bool wanted = tree != nullptr ? is_in(*tree, file) : !of_trees && !is_host_file(file);
    if (wanted) OSP_TRY(map_one(restore, area));
  }
  return {};
}

}  // namespace

Restored restore_trees(Restore& restore) {
  for (const MemoryTree& tree : restore.manifest.trees) {
    OSP_TRY(load(restore, tree));
    OSP_TRY(open_files(restore, tree));
    OSP_TRY(map_files(restore, &tree));
    if (const auto ended = keeper::end_load_memory(tree.server); !ended)
      return because("its memory tree " + tree.server, ended.error().code);
  }
  return map_files(restore, nullptr);
}

}  // namespace osp::migrate
