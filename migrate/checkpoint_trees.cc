// The memory trees of the environment (#m) for an image: the keeper, which has them, tells what is in them.
#include "libosp/file/files.h"
#include "libosp/file/keeper_memory.h"
#include "migrate/checkpoint_parts.h"
#include "migrate/memory_tree.h"

namespace osp::migrate {

Result<void> capture_trees(Capture& c) {
  OSP_ASSIGN(const std::vector<keeper::SavedMemory> trees, keeper::save_memory());
  Result<void> done;
  for (const keeper::SavedMemory& saved : trees) {
    MemoryTree& tree = c.manifest.trees.emplace_back(tree_of(saved.url, saved.snapshot));
    if (done && saved.snapshot.contents_size() > 0) {
      const auto object = c.object_of(saved.contents, ObjectKind::tree_contents, saved.url);
      if (object) tree.contents = *object;
      if (!object) done = std::unexpected(object.error());
    }
    file::drop_fd(saved.contents);
  }
  return done;
}

}  // namespace osp::migrate
